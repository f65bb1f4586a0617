"""What a packet can answer instead of a result."""

from __future__ import annotations


class RspError(Exception):
    """An error reply: a number (Linux's, by convention) and words for people."""

    def __init__(self, text: str = "", number: int = 1) -> None:
        super().__init__(text)
        self.text, self.number = text, number


class UnsupportedError(Exception):
    """The empty reply: the stub does not know this packet."""
