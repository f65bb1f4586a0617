"""Instruction sets: descriptions only. Each directory is one architecture; `registry.py` names them."""
