"""The screen of `xemu debug`: panes in Textual, and the process with the guest that they ask."""
