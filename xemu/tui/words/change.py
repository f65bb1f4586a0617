"""Words that change the guest, and names of moments."""

from __future__ import annotations

import re

from xemu.errors import UsageError
from xemu.tui import actions
from xemu.tui.commands import CHANGE, TIME, Context, command
from xemu.tui.words.look import address_of


def _sides(rest: str) -> tuple[str, str]:
    left, equals, right = rest.partition("=")
    if not equals or not left.strip() or not right.strip():
        raise UsageError("EXPRESSION = VALUE is missing")
    return left.strip(), right.strip()


@command("set", "EXPRESSION = VALUE", CHANGE, completes="expression", changes=True)
@command("set var", "EXPRESSION = VALUE", CHANGE, completes="expression", changes=True, aliases="variable")
def set_variable(c: Context, rest: str) -> None:
    """Give a variable, member, register ($r0) or object in memory a value."""
    left, right = _sides(rest)
    c.say(f"{left} = {c.d.assign(left, right, c.selected, c.thread).text()}")


@command("set register", "NAME = VALUE", CHANGE, completes="register", changes=True, aliases="reg")
def set_register(c: Context, rest: str) -> None:
    """Give a register a value."""
    name, text = _sides(rest if "=" in rest else rest.replace(" ", " = ", 1))
    name = name.removeprefix("$")
    actions.write_register(c.d, name=name, value=c.number(text))
    c.say(f"{name} = {c.d.read_register(name, c.thread):#x}")


@command("set memory", 'ADDRESS = BYTES or "TEXT"', CHANGE, completes="expression", changes=True, aliases="mem")
def set_memory(c: Context, rest: str) -> None:
    """Put bytes (hexadecimal, 01 ff 20) or a text into memory."""
    where, text = _sides(rest)
    address = address_of(c, where)
    quoted = re.fullmatch(r'"(.*)"', text, re.DOTALL)
    try:
        data = quoted[1].encode().decode("unicode_escape").encode("latin-1") if quoted else bytes.fromhex(text)
    except (ValueError, UnicodeError):
        raise UsageError(f"{text}: neither bytes in hexadecimal (01 ff 20) nor a text in quotes") from None
    actions.write_memory(c.d, address=address, data=data)
    c.say(f"{len(data)} bytes at {address:#x}")


@command("checkpoint", "[NAME]", TIME, changes=True)
def checkpoint(c: Context, rest: str) -> None:
    """Give this moment a name for seek."""
    c.say(f"checkpoint {c.d.checkpoint(rest)} at {c.d.position}")


@command("pin", "PART.PIN 0 | 1 | z", CHANGE, completes="device", changes=True)
def pin(c: Context, rest: str) -> None:
    """Drive a pin from outside; z: nobody drives it."""
    name, _, level = rest.partition(" ")
    if level.strip() not in ("0", "1", "z"):
        raise UsageError("a pin is 0, 1 or z")
    actions.set_pin(c.d, name=name, level=None if level.strip() == "z" else int(level))


@command("value", "PART.NAME NUMBER", CHANGE, completes="device", changes=True)
def value(c: Context, rest: str) -> None:
    """Set what a sensor measures."""
    name, _, text = rest.partition(" ")
    actions.set_value(c.d, name=name, text=text.strip())
