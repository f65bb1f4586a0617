"""The devices: a tree of registers and fields, what the world does to the board, interrupts, and what is due next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xemu.errors import UsageError
from xemu.tui.keys import Key
from xemu.tui.pane import Pane
from xemu.tui.text import Line, Span, line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xemu.tui.messages import Hello
    from xemu.tui.queries.devices import Countdown, Field, Interrupts, Layout, Pins, Register, Row, Setting, State
    from xemu.tui.queries.devices import Devices as Data

CONTROLLER = "interrupts"
NAME = 14                # columns of a name
BOARD = 8                # elements of an array that are shown in its own line


def duration(seconds: float) -> str:
    """Return a time in the unit that fits: "0.4 ms", "8.7 us"."""
    for unit, factor in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if abs(seconds) >= factor * 0.1:
            return f"{seconds / factor:.3g} {unit}"
    return f"{seconds * 1e9:.0f} ns"


def _triangle(opened: bool) -> str:
    return "▾ " if opened else "▸ "


def _access_words(times: tuple[int, int] | None) -> str:
    return "  r:{} w:{}".format(*times) if times is not None and any(times) else ""


def field_text(field: Field, value: int) -> str:
    """Return a field's value with its name: "2 full"."""
    number = value >> field.low & (1 << field.high - field.low + 1) - 1
    name = next((name for known, name in field.names if known == number), "")
    digits = f"{number:x}" if field.high - field.low >= 4 else str(number)
    return f"{digits} {name}".rstrip()


def fields_summary(register: Register, value: int) -> str:
    """Return what of a register is not zero: flags by name, other fields with their values: "UE TE MODE=2"."""
    words = []
    for field in register.fields:
        text = field_text(field, value)
        if not text.startswith("0") or " " in text:
            words.append(field.name if field.high == field.low and " " not in text else f"{field.name}={text.rpartition(' ')[2]}")
    return " ".join(words)


class _Tree:
    """The lines of all devices."""

    def __init__(self, data: Data, before: Data | None, layouts: dict[str, Layout], opened: set[Any]) -> None:
        self.data, self.before, self.layouts, self.opened = data, before, layouts, opened

    def lines(self) -> Iterator[Line]:
        """Yield them."""
        data = self.data
        if not data.rows:
            yield line(("a program has no devices", "dim"))
            return
        yield from self._queue()
        if data.timer is not None:
            yield self._timer(data.timer)
        if data.interrupts is not None:
            yield from self._interrupts(data.interrupts)
        for row in data.rows:
            yield from self._device(row)

    def _in(self, beat: int) -> str:
        return duration((beat - self.data.now) / self.data.rate)

    def _queue(self) -> Iterator[Line]:
        words: list[Span] = [Span("queue: ", "label")]
        for number, (beat, what) in enumerate(self.data.events):
            words += [Span(" · " if number else ""), Span(f"+{self._in(beat)} ", "time"), Span(what)]
        if not self.data.events:
            words.append(Span("nothing is due", "dim"))
        yield Line(tuple(words), "queue")

    def _timer(self, timer: Countdown) -> Line:
        old = self.before.timer.value if self.before is not None and self.before.timer is not None else timer.value
        due = " off" if not timer.running else f" → 0 in {self._in(timer.due)}" if timer.due is not None else ""
        words = [Span(f"{timer.name} ", "label"), Span(str(timer.value), "changed" if old != timer.value else "value"), Span(due, "time"),
                 Span(f"  of {timer.reload}" if timer.reload else "", "dim")]
        return Line(tuple(words), "timer")

    def _interrupts(self, state: Interrupts) -> Iterator[Line]:
        opened = CONTROLLER in self.opened
        pending = " ".join(i.name for i in state.lines if i.pending)
        active = " ".join(i.name for i in state.lines if i.active and i.name != state.running)
        words = [Span(_triangle(opened), "", ("open", CONTROLLER)), Span("Interrupts", "title"),
                 Span(f"  in {state.running}" if state.running else "", "pc"), Span(f" over {active}" if active else "", "pc"),
                 Span(f"  pending {pending}" if pending else "", "changed"),
                 Span(f"  priority {state.priority}" if state.priority is not None else "", "dim"),
                 Span(f"  {state.masks}" if state.masks else "", "error")]
        yield Line(tuple(words), CONTROLLER, act=("open", CONTROLLER))
        for i in state.lines if opened else ():
            marks = " ".join(word for word, on in (("active", i.active), ("pending", i.pending), ("off", not i.enabled)) if on)
            yield Line((Span("    "), Span(f"{i.name:<11} ", "label"), Span(f"prio {i.priority:<4}", "dim"),
                        Span(f" {marks}" if marks else "", "changed"), Span(f"  {i.source}".rstrip(), "device")),
                       ("interrupt", i.number))

    # -- a device --------------------------------------------------------------------------------------------------------
    def _device(self, row: Row) -> Iterator[Line]:
        opened = row.name in self.opened
        style = "title" if row.modelled else "dim"
        words = [Span(_triangle(opened), "", ("open", row.name)), Span(f"{row.name:<10}", style, ("open", row.name)),
                 Span(f" {row.at:08x}" if row.at is not None else "", "dim"), Span(f"  {row.lines}" if row.lines else "", "dim"),
                 Span("" if row.modelled else "  not modelled", "dim")]
        yield Line(tuple(words), row.name, act=("open", row.name))
        if not opened:
            return
        state, layout = self.data.opened.get(row.name), self.layouts.get(row.name)
        if state is None or layout is None:
            yield line(("    …", "dim"))
            return
        if layout.text:
            yield line((f"    {layout.text}", "comment"), key=(row.name, "text"))
        for number, text in enumerate(state.picture.splitlines()):
            yield line(("    " + " ".join(text), "value"), key=(row.name, "picture", number))
        before = self.before.opened.get(row.name) if self.before is not None else None
        for number, setting in enumerate(state.settings):
            old = before.settings[number].text if before is not None and number < len(before.settings) else setting.text
            yield self._setting(setting, old)
        for pins in state.pins:
            yield from self._pins(pins)
        yield from self._registers(row.name, layout, state, before)

    @staticmethod
    def _setting(setting: Setting, old: str) -> Line:
        label = setting.name.partition(".")[2]
        act = "toggle" if setting.switch else "set", setting.name, setting.text
        return Line((Span("    ⇢ "), Span(f"{label} ", "label"), Span(setting.text, "changed" if old != setting.text else "value", act),
                     Span(f" ◂{old}" if old != setting.text else "", "dim")), ("set", setting.name), act=act)

    def _pins(self, pins: Pins) -> Iterator[Line]:
        key = ("pins", pins.name)
        opened = key in self.opened
        digits = (pins.total + 3) // 4
        yield Line((Span("  " + _triangle(opened), "", ("open", key)), Span(f"{pins.name.partition('.')[2]} ", "label"),
                    Span(f"{pins.levels:0{digits}x}", "value"),
                    Span(f"  driven {pins.driven:0{digits}x}  held {pins.held:0{digits}x}", "dim")), key, act=("open", key))
        for number in range(pins.total) if opened else ():
            level, name = pins.levels >> number & 1, f"{pins.name}.{number}"
            who = "driven" if pins.driven >> number & 1 else "held from outside" if pins.held >> number & 1 else ""
            yield Line((Span("      ⇢ "), Span(f"{number:<3}", "label"), Span(str(level), "value"), Span(f"  {who}", "dim")), ("pin", name),
                       act=("pin", name, level))

    def _registers(self, device: str, layout: Layout, state: State, before: State | None) -> Iterator[Line]:
        registers = layout.registers
        number = 0
        while number < len(registers):
            array = registers[number].array
            end = number + 1
            while array and end < len(registers) and registers[end].array == array:
                end += 1
            if not array:
                yield from self._register(device, number, registers[number], state, before, "    ")
            else:
                yield from self._array(device, range(number, end), registers, state, before)
            number = end

    def _array(self, device: str, numbers: range, registers: tuple[Register, ...], state: State,
               before: State | None) -> Iterator[Line]:
        key = ("array", device, registers[numbers[0]].array)
        opened = key in self.opened
        words = [Span("  " + _triangle(opened), "", ("open", key)), Span(f"{registers[numbers[0]].array}[{len(numbers)}] ", "label")]
        for n in numbers if not opened else ():
            if n - numbers[0] == BOARD:
                words.append(Span("…", "dim"))
                break
            changed = before is not None and before.values[n] != state.values[n]
            words.append(Span(f"{state.values[n]:x} ", "changed" if changed else "value" if state.values[n] else "dim"))
        yield Line(tuple(words), key, act=("open", key))
        for n in numbers if opened else ():
            yield from self._register(device, n, registers[n], state, before, "      ")

    def _register(self, device: str, number: int, register: Register, state: State, before: State | None,
                  indent: str) -> Iterator[Line]:
        value = state.values[number]
        key = ("register", device, number)
        opened = key in self.opened
        digits = register.width // 4
        old = before.values[number] if before is not None else value
        mark = indent[:-2] + _triangle(opened) if register.fields else indent
        changed = old != value
        words = [Span(mark, "", ("open", key) if register.fields else ()), Span(f"{register.name:<{NAME}} ", "label"),
                 Span(f"{value:0{digits}x}", "changed" if changed else "value" if register.modelled else "dim", ("write", device, number)),
                 Span(f" ◂{old:x}" if changed else "", "dim")]
        if register.fields and not opened:
            words.append(Span(f"  {fields_summary(register, value)}".rstrip(), "constant" if register.modelled else "dim"))
        if register.acts:
            words.append(Span("  (read side effect)", "device"))
        if not register.modelled:
            words.append(Span("  at reset, not modelled", "dim"))
        words.append(Span(_access_words(state.times[number] if state.times is not None else None), "dim"))
        yield Line(tuple(words), key, act=("open", key) if register.fields or register.title else ())
        if not opened:
            return
        if register.title:
            yield line((f"{indent}    {register.title}", "comment"), key=(*key, "title"))
        for field in register.fields:
            bits = f"{field.high}:{field.low}" if field.high != field.low else str(field.low)
            text, was = field_text(field, value), field_text(field, old)
            yield Line((Span(indent + "    "), Span(f"{field.name:<{NAME}} ", "label"), Span(f"{bits:<6}", "dim"),
                        Span(text, "changed" if text != was else "value"), Span(f" ◂{was}" if text != was else "", "dim"),
                        Span(f"  {field.kind}" if field.kind not in ("", "RW") else "", "dim"),
                        Span(f"  {field.text}" if field.text else "", "comment")), (*key, field.name),
                       act=("edit_field", device, number, field.name))


def devices_lines(data: Data, before: Data | None, layouts: dict[str, Layout], opened: set[Any]) -> list[Line]:
    """Return the tree; `opened` has the keys of the lines that are open."""
    return list(_Tree(data, before, layouts, opened).lines())


class Devices(Pane):
    """The devices of the machine."""

    pane, title, group = "devices", "Devices", 4
    query_name = "devices.devices"
    keys = (Key("e", "edit", "Write the register or field, set the pin or value under the cursor"),
            Key("m", "memory", "Show the device or register in the memory pane"))

    def __init__(self) -> None:
        super().__init__()
        self.opened: set[Any] = set()
        self.layouts: dict[str, Layout] = {}
        self._begun = False

    def arguments(self) -> dict[str, Any]:
        """Return what is asked: only opened devices are looked at."""
        return {"opened": tuple(sorted(key for key in self.opened if isinstance(key, str)))}

    def met(self, hello: Hello) -> None:
        """Another guest may have other devices."""
        del hello
        self.layouts.clear()
        for name in [key for key in self.opened if isinstance(key, str)]:
            self.screen_app.go(self._describe(name))

    def put(self, data: Any, stop: int) -> None:
        """Open what is there to be looked at, once."""
        super().put(data, stop)
        rows: tuple[Row, ...] = getattr(data, "rows", ())
        for row in rows if not self._begun else ():
            self._begun = True
            if row.picture:
                self.act_open(row.name)

    def view(self, data: Data, before: Any) -> list[Line]:
        """Return the lines."""
        return devices_lines(data, before, self.layouts, self.opened)

    # -- opening ---------------------------------------------------------------------------------------------------------
    def act_open(self, key: Any) -> None:
        """Open or close something."""
        self.opened ^= {key}
        if key in self.opened and isinstance(key, str) and key not in self.layouts and key != CONTROLLER:
            self.screen_app.go(self._describe(key))
        self.ask()
        self.redraw()

    async def _describe(self, device: str) -> None:
        self.layouts[device] = await self.screen_app.client.do("devices.describe", device=device)
        self.redraw()

    def _register(self, device: str, number: int) -> Register:
        return self.layouts[device].registers[number]

    # -- changing --------------------------------------------------------------------------------------------------------
    def action_edit(self) -> None:
        """Change what is under the cursor."""
        here = self.here
        if isinstance(here.key, tuple) and here.key[0] == "register" and len(here.key) == 3:
            self.act_write(*here.key[1:])
        elif here.act and here.act[0] in ("set", "toggle", "pin", "edit_field"):
            self.act(here.act)
        else:
            self.screen_app.say("there is nothing to be set on this line", error=True)

    def act_toggle(self, name: str, text: str) -> None:
        """Press or release, switch on or off."""
        self.screen_app.act_do("set_value", name=name, text="no" if text == "yes" else "yes")

    def act_set(self, name: str, text: str) -> None:
        """Set a value of the world."""
        self.screen_app.prompt.open(f"{name} =", text, lambda words: self.screen_app.act_do("set_value", name=name, text=words))

    def act_pin(self, name: str, level: int) -> None:
        """Drive a pin from outside, or let it go."""
        def take(words: str) -> None:
            if words not in ("0", "1", "-"):
                self.screen_app.say(f"{words}: a level is 0, 1, or - to let go", error=True)
                return
            self.screen_app.act_do("set_pin", name=name, level=None if words == "-" else int(words))

        self.screen_app.prompt.open(f"{name} = 0, 1, or - to let go", str(1 - level), take)

    def act_write(self, device: str, number: int) -> None:
        """Write a register as the CPU would."""
        register = self._register(device, number)
        value = self.data.opened[device].values[number]

        async def write(words: str) -> None:
            await self._write(register, await self.screen_app.client.do("address_of", text=words))

        self.screen_app.prompt.open(f"write {device}.{register.name} =", f"{value:#x}", lambda words: self.screen_app.go(write(words)))

    def act_edit_field(self, device: str, number: int, name: str) -> None:
        """Write a register with another value of a field."""
        register = self._register(device, number)
        field = next(f for f in register.fields if f.name == name)
        ones = (1 << field.high - field.low + 1) - 1
        value = self.data.opened[device].values[number]

        async def write(words: str) -> None:
            named = next((known for known, word in field.names if word == words), None)
            new = named if named is not None else await self.screen_app.client.do("address_of", text=words)
            if new & ~ones:
                raise UsageError(f"{name} has {field.high - field.low + 1} bits: {new:#x} is too large")
            await self._write(register, self.data.opened[device].values[number] & ~(ones << field.low) | new << field.low)

        self.screen_app.prompt.open(f"write {device}.{register.name}.{name} =", f"{value >> field.low & ones:#x}",
                                    lambda words: self.screen_app.go(write(words)))

    async def _write(self, register: Register, value: int) -> None:
        if register.address is None:
            raise UsageError(f"{register.name} is on no bus of the processor")
        hello = self.screen_app.hello
        order = "little" if hello is None or hello.little else "big"
        data = (value & (1 << register.width) - 1).to_bytes(register.width // 8, order)  # type: ignore[arg-type]
        await self.screen_app.client.do("write_memory", address=register.address, data=data)

    def action_memory(self) -> None:
        """Show what is under the cursor as memory."""
        key = self.here.key
        address = None
        if isinstance(key, tuple) and key[0] == "register":
            address = self._register(key[1], key[2]).address
        elif isinstance(key, str):
            address = next((row.at for row in self.data.rows if row.name == key), None)
        if address is None:
            self.screen_app.say("this line has no address", error=True)
        else:
            self.screen_app.act_goto("memory", address)


PANES = (Devices,)
