"""The command line: words, abbreviations, answers, completion, history, Python."""

from __future__ import annotations
