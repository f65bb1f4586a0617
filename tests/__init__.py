"""xemu's tests."""
