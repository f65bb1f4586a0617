"""A program's variables as readers of tasks see them: `program["current"]["priority"]`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xemu.errors import UsageError, XemuError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xemu.debug.debugger import Debugger
    from xemu.debug.types import Type
    from xemu.debug.values import Value

LONGEST = 1 << 16        # elements of an array that are gone through


class View:
    """A variable or a part of one. Pointers are followed by themselves: `view["next"]["name"]`."""

    def __init__(self, program: Program, value: Value) -> None:
        self.program, self.value = program, value

    def __getitem__(self, key: str | int) -> View:
        """Return a member of a structure (or of the one it points to), or an element of an array; UsageError."""
        value = self.value
        if value.type.plain.kind == "pointer":
            value = value.dereference() if isinstance(key, str) else value
        if isinstance(key, int):
            if value.type.plain.kind == "pointer":
                target = value.type.plain.target
                return self.program.at((int(self) + key * target.plain.size), target)
            return View(self.program, value.element(key))
        from xemu.debug.evaluate import find_member

        found = find_member(self.program.scope, value, key)
        if found is None:
            raise UsageError(f"{value.type} has no member {key}")
        return View(self.program, found)

    def __contains__(self, name: str) -> bool:
        """Whether a structure has a member."""
        try:
            self[name]
        except UsageError:
            return False
        return True

    def __int__(self) -> int:
        """Return a number, or the address that a pointer holds; UsageError where it cannot be read."""
        from xemu.debug.location import UnavailableError

        try:
            return self.value.integer()
        except UnavailableError as error:
            raise UsageError(f"{self.value.type}: {error}") from None

    def __bool__(self) -> bool:
        return int(self) != 0

    def __len__(self) -> int:
        """Return how many elements an array has."""
        return self.value.type.plain.count or 0

    def __iter__(self) -> Iterator[View]:
        """Yield the elements of an array."""
        for index in range(min(len(self), LONGEST)):
            yield self[index]

    def __str__(self) -> str:
        """Return it in words: of an enumeration the name, of characters the text."""
        plain = self.value.type.plain
        if plain.kind == "array" and plain.target.plain.kind == "char":
            from xemu.debug.location import UnavailableError

            try:
                return self.value.data().partition(b"\0")[0].decode("utf-8", "replace")
            except UnavailableError as error:
                return f"<{error}>"
        if plain.kind == "pointer" and plain.target.plain.kind == "char":
            return self.program.text(int(self))
        return self.value.text()

    @property
    def address(self) -> int:
        """Where it is in memory; UsageError."""
        if self.value.address is None:
            raise UsageError(f"{self.value.type}: not in memory")
        return self.value.address

    @property
    def range(self) -> tuple[int, int]:
        """Its first address, and the one behind its last; UsageError."""
        return self.address, self.address + self.value.size

    @property
    def target(self) -> View:
        """What a pointer points to."""
        return View(self.program, self.value.dereference())

    @property
    def type(self) -> str:
        """The name of its type."""
        return str(self.value.type)


class Program:
    """The program that a debugger has, where it stands."""

    def __init__(self, debugger: Debugger) -> None:
        self.debugger = debugger
        self._scope: Any = None

    @property
    def scope(self) -> Any:
        """What names mean, in the whole program."""
        if self._scope is None:
            from xemu.debug.variables import Scope

            source = self.debugger.source
            self._scope = Scope(source.modules, source.read_memory, architecture=source.architecture)
        return self._scope

    def has(self, name: str) -> bool:
        """Whether there is a symbol of that name."""
        return self.debugger.modules.address_of(name) is not None

    def __getitem__(self, name: str) -> View:
        """Return a variable; UsageError."""
        found = self.scope.find_global(name)
        if found is None or found.missing:
            raise UsageError(f"no variable {name}" + (f": {found.missing}" if found is not None else ""))
        return View(self, found)

    def get(self, name: str) -> View | None:
        """Return a variable if there is one."""
        try:
            return self[name]
        except XemuError:
            return None

    def at(self, address: int, kind: str | Type) -> View:
        """Return what is at an address, as something of a type ("struct thread", or that of another view); UsageError."""
        from xemu.debug.values import Value

        found = self.scope.find_type(kind) if isinstance(kind, str) else kind
        if found is None:
            raise UsageError(f"no type {kind}")
        return View(self, Value.at(self.scope.access, found, address))

    def words(self, address: int, count: int) -> tuple[int, ...]:
        """Return words of memory; UsageError where they cannot be read."""
        architecture = self.debugger.source.architecture
        data = self.memory(address, count * architecture.word)
        return tuple(architecture.number(data[at:at + architecture.word]) for at in range(0, len(data), architecture.word))

    def memory(self, address: int, length: int) -> bytes:
        """Return memory; UsageError."""
        data = self.debugger.source.read_memory(address, length)
        if data is None:
            raise UsageError(f"memory at {address:#x} cannot be read")
        return data

    def text(self, address: int, longest: int = 64) -> str:
        """Return the string at an address."""
        return self.debugger.read_memory(address, longest).partition(b"\0")[0].decode("utf-8", "replace")

    def function(self, address: int) -> str:
        """Return the name of the function at an address, "" where none is known."""
        found = self.debugger.modules.function(address & ~1)
        return found.name if found is not None else ""
