"""Linux user mode: one guest process per host process."""
