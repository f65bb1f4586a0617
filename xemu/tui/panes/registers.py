"""The registers, with what has changed and what they point to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from xemu.tui.keys import Key
from xemu.tui.pane import Pane
from xemu.tui.text import Line, Span, line

if TYPE_CHECKING:
    from xemu.tui.queries.pointers import Pointed
    from xemu.tui.queries.registers import Registers as Data
    from xemu.tui.queries.registers import Value

RADIXES = ("hex", "unsigned", "signed")


def number_text(value: int | None, bits: int, radix: str = "hex") -> str:
    """Return a register's value in digits."""
    if value is None:
        return "-"
    if radix == "unsigned":
        return str(value)
    if radix == "signed":
        return str(value - (1 << bits) if value >> (bits - 1) else value)
    return f"{value:0{(bits + 3) // 4}x}"


def flags_text(flags: tuple[tuple[str, int, int], ...]) -> str:
    """Return fields by letter: set flags capital, clear ones small: "nZCvq T exc 0"."""
    letters, rest = "", []
    for name, value, bits in flags:
        if bits == 1 and len(name) == 1:
            letters += name.upper() if value else name.lower()
        elif value:
            rest.append(f"{name}={value}")
    return " ".join([letters, *rest]).strip()


def pointed_spans(pointed: Pointed | None) -> list[Span]:
    """Return what a word points to, as words."""
    if pointed is None:
        return []
    words = [Span(" → " + pointed.name if pointed.name else " →", pointed.kind)]
    if pointed.text:
        words.append(Span(f' "{pointed.text}"'.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t"), "string"))
    elif pointed.value is not None and pointed.kind != "code":
        words.append(Span(f" = {pointed.value:x}", "dim"))
    return words


def value_line(value: Value, old: int | None, width: int, radix: str, pc: str) -> Line:
    """Return one register's line."""
    digits = number_text(value.value, value.bits, radix)
    changed = old is not None and old != value.value
    words = [Span("▶" if value.name == pc else " ", "pc"), Span(f"{value.name:<{width}} ", "label"),
             Span(digits, "changed" if changed else "value", ("edit", value.name, value.value))]
    if value.flags:
        words.append(Span("  " + flags_text(value.flags), "changed" if changed else ""))
    if value.text:
        words.append(Span("  " + value.text, "changed" if changed else ""))
    if changed:
        words.append(Span(f" ◂{number_text(old, value.bits, radix).lstrip('0') or '0'}", "dim"))
    words += pointed_spans(value.pointed)
    return Line(tuple(words), value.name, act=("edit", value.name, value.value))


def registers_lines(data: Data, before: Data | None, folded: set[str], radix: str = "hex") -> list[Line]:
    """Return all registers; groups whose name is in `folded` show their title only."""
    comparable = before is not None and (before.thread, before.frame) == (data.thread, data.frame)
    old = {v.name: v.value for group in before.groups for v in group.values} if before is not None and comparable else {}
    lines: list[Line] = []
    for group in data.groups:
        if group.name:
            closed = group.name in folded
            changed = closed and any(v.name in old and old[v.name] != v.value for v in group.values)
            lines.append(line((f"{'▸' if closed else '▾'} {group.name}", "title"), (" ◂" if changed else "", "changed"),
                              key=("group", group.name), act=("fold", group.name)))
            if closed:
                continue
        width = max(len(v.name) for v in group.values)
        lines += [value_line(v, old.get(v.name), width, radix, data.pc) for v in group.values]
    return lines


class Registers(Pane):
    """The registers of the thread that runs."""

    pane, title, group = "registers", "Registers", 1
    query_name = "registers.registers"
    keys = (Key("x", "radix", "Hexadecimal, unsigned, signed"), Key("e", "enter", "Change the register under the cursor"))
    kept: ClassVar = {"radix": RADIXES, "folded": None}

    def __init__(self) -> None:
        super().__init__()
        self.folded = {"fpu", "tls", "time", "x87", "segments", "sse", "avx", "linux", "altivec", "vsx", "special"}
        self.radix = "hex"

    def arguments(self) -> dict[str, Any]:
        """Return whose registers are shown."""
        return self.screen_app.selection

    def view(self, data: Data, before: Any) -> list[Line]:
        """Return the lines."""
        self.subtitle(f"of frame #{data.frame}" if data.frame else "")
        return registers_lines(data, before, self.folded, self.radix)

    def act_fold(self, name: str) -> None:
        """Show a group or its title only."""
        self.folded ^= {name}
        self.redraw()

    def action_radix(self) -> None:
        """Show numbers another way."""
        self.radix = RADIXES[(RADIXES.index(self.radix) + 1) % len(RADIXES)]
        self.redraw()

    def act_edit(self, name: str, value: int | None) -> None:
        """Change a register."""
        async def write(text: str) -> None:
            number = await self.screen_app.client.do("address_of", text=text)
            await self.screen_app.client.do("write_register", name=name, value=number)

        self.screen_app.prompt.open(f"{name} =", f"{value or 0:#x}", lambda text: self.screen_app.go(write(text)))


PANES = (Registers,)
