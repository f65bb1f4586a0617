"""Tools for people who work on xemu."""
