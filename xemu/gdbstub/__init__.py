"""The GDB remote stub: framing, a table of packets, and a server for several clients. It drives machines through `Debugger`."""
