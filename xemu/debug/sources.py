"""Source files: where they are now, and their lines."""

from __future__ import annotations

import os
import posixpath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from xemu.debug.symbols import Module

MOST_NEIGHBOURS = 200      # files whose directories are looked into
MAX_SOURCE = 64 << 20      # bytes of a file that is worth showing


class Sources:
    """Finds source files: by mapped prefixes, as compiled, relative to the program, by the last part in given directories."""

    def __init__(self, mapping: Iterable[str] = (), directories: Iterable[str] = ()) -> None:
        """Take "OLD=NEW" prefixes, the longest that fits is used, and directories to search."""
        pairs = [text.partition("=") for text in mapping]
        self.mapping = sorted(((old, new) for old, sign, new in pairs if sign and old), key=lambda pair: -len(pair[0]))
        self.directories = list(directories)
        self._found: dict[tuple[str, str | None], str | None] = {}
        self._lines: dict[str, list[str]] = {}

    def find(self, file: str, module: Module | None = None) -> str | None:
        """Return the path at which a file named by debug information is; None if it is nowhere."""
        key = (file, module.path if module else None)
        if key not in self._found:
            self._found[key] = next((path for path in self._candidates(file, module) if os.path.isfile(path)), None)
            if self._found[key] is None and module is not None and os.path.dirname(file) in ("", "."):
                self._found[key] = self._neighbour(file, module)
        return self._found[key]

    def _neighbour(self, file: str, module: Module) -> str | None:
        """Find a file that is named without its directory beside the program's other sources: assemblers leave it out."""
        files = module.lines.files() if module.lines is not None else []
        homes = dict.fromkeys(os.path.dirname(found) for other in files[:MOST_NEIGHBOURS] if other != file and os.path.dirname(other)
                              and (found := self.find(other, module)) is not None)
        return next((path for home in homes if os.path.isfile(path := os.path.join(home, file))), None)

    def _candidates(self, file: str, module: Module | None) -> list[str]:
        paths = []
        for old, new in self.mapping:
            if file == old or file.startswith(old.rstrip("/") + "/"):
                paths.append(posixpath.normpath(posixpath.join(new, file[len(old) :].lstrip("/"))))
        if os.path.isabs(file):
            paths.append(file)
        parts = [part for part in file.split("/") if part not in ("", ".", "..")]
        if module is not None and module.path:
            directory = os.path.dirname(os.path.abspath(module.path))
            while True:                                # the file's last parts, in the program's directory and those above it
                paths += [os.path.join(directory, *parts[skip:]) for skip in range(len(parts))]
                if os.path.dirname(directory) == directory or len(paths) > 200:
                    break
                directory = os.path.dirname(directory)
        for place in self.directories:
            paths += [os.path.join(place, *parts[skip:]) for skip in range(len(parts))]
        return paths

    def lines(self, file: str, module: Module | None = None) -> list[str]:
        """Return a file's lines without their ends; none if it is nowhere. The first is line 1 of the debug information."""
        path = self.find(file, module)
        if path is None:
            return []
        if path not in self._lines:
            try:
                with open(path, "rb") as stream:
                    data = stream.read(MAX_SOURCE)
            except OSError:
                data = b""
            self._lines[path] = data.decode("utf-8", "replace").expandtabs(8).splitlines()
        return self._lines[path]

    def line(self, file: str, number: int, module: Module | None = None) -> str:
        """Return one line; empty where there is none."""
        lines = self.lines(file, module)
        return lines[number - 1] if 0 < number <= len(lines) else ""
