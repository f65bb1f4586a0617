"""The boards xemu knows: which module has which. Board files of users are given by path."""

from __future__ import annotations

from contextlib import contextmanager
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING

from xemu.errors import MachineError, NotFoundError, UsageError, XemuError
from xemu.hw.machine import BOARDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xemu.hw.machine import Board, Machine

#: name -> module; machine names as in QEMU
MODULES = {
    "mps2-an385": "mps2", "mps2-an386": "mps2", "mps2-an500": "mps2", "lm3s6965evb": "lm3s", "microbit": "microbit",
    "netduinoplus2": "stm32f4", "olimex-stm32-h405": "stm32f4",
}


def find_board(name: str) -> Board:
    """Return a board by name or from a `.py` file; one file may define several, then `file.py:name` says which."""
    if name.endswith(".py") or ".py:" in name:
        return _from_file(name)
    if name not in MODULES:
        import difflib

        near = difflib.get_close_matches(name, list(MODULES), 1)
        hint = f"did you mean {near[0]}?" if near else "see `xemu list machines`; a board of your own is --machine FILE.py"
        msg = f"no machine {name!r}; {hint}"
        raise UsageError(msg)
    import_module(f"xemu.hw.machines.{MODULES[name]}")
    return BOARDS[name]


def _from_file(name: str) -> Board:
    file, _, wanted = name.partition(".py:")
    path = Path(file if file.endswith(".py") else f"{file}.py")
    if not path.exists():
        msg = f"no board file {path}"
        raise NotFoundError(msg)
    before = dict(BOARDS)
    spec = spec_from_file_location(f"xemu_board_{path.stem}", path)
    if spec is None or spec.loader is None:
        msg = f"{path} is no Python file"
        raise MachineError(msg)
    module = module_from_spec(spec)
    with _placing(path):
        spec.loader.exec_module(module)
    found = {n: _placed(b, path) for n, b in BOARDS.items() if before.get(n) is not b}
    if wanted and wanted in found:
        return found[wanted]
    if len(found) != 1 or wanted:
        msg = f"{path} defines no machine; decorate a function with @machine"
        if found:
            msg = f"{path} defines {', '.join(found)}; say which: --machine {path}:NAME"
        raise MachineError(msg)
    return next(iter(found.values()))


def _placed(board: Board, path: Path) -> Board:
    """Return a board whose mistakes are told with their lines."""
    def build(m: Machine) -> None:
        with _placing(path):
            board.build(m)
    return board._replace(build=build)


@contextmanager
def _placing(path: Path) -> Iterator[None]:
    """Turn what goes wrong in a board file into a MachineError that names the line."""
    try:
        yield
    except Exception as error:
        from traceback import walk_tb

        lines = [line for frame, line in walk_tb(error.__traceback__) if frame.f_code.co_filename == str(path)]
        line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else 0
        place = f"{path}:{line}" if line else str(path)
        if isinstance(error, XemuError) and (place in str(error) or not line):       # it says itself where
            raise
        text = str(error) if isinstance(error, XemuError) else f"{type(error).__name__}: {error}"
        raise MachineError(f"{place}: {text}") from error


def board_names() -> list[str]:
    """Return the names of all boards."""
    return list(MODULES)
