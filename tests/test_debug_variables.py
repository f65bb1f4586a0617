"""Variables, types and C expressions: values and texts are those of GDB."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.support.debug import build
from tests.support.gdb_oracle import capture
from xemu.debug.evaluate import assignment, evaluate, truth
from xemu.debug.symbols import Module, Modules
from xemu.debug.unwind import backtrace
from xemu.debug.variables import Scope
from xemu.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.gdb_oracle import Stop

EXPRESSIONS = """
    n; *n; n->at; n->at.flag + 1; n->at.other; sizeof(*n); table; table[1][1]; &table[2]; *table@2; greeting; *greeting@3; n->name
    n->name[2]; status_register; (char)65; 1/3.0; 7/2*-1; depth<<3|1; 'a.c'::counter; apply::calls; n->fn; *n->next; table[0]@2
    (unsigned char)300; -5%3; -5/3; 5u-6; 5-6u>0; n->c; n->c==BLUE; (int)BLUE; &n->at; $sp; $pc; n->u; n.at.y; sizeof(struct node); ~0u
    sizeof(callback); (long long)1<<40; 1.5f*2; "abc"; 'a'; '\\n'; n->d*2; (float)n->d; &n->name; *&n->c; !n; !!n; counter?1:2; 2147483647+1
    0x80000000; 4294967296; 010; 1==1 && 0 || 1; 3&1^2|8; n->at.x > -4; (unsigned)n->at.y > 100u; &n->at.x - &n->at.y; &table[3] - &table[0]
    (struct point *)n; ((struct point *)n)->x; *(int *)n; (short)70000; (unsigned short)-1; n == n->next; sizeof 1.0; sizeof(char [3][2])
    main; &main; *main; compare; leaf; i; sum; inner; $r0 - $r0; (char *)greeting; n->name + 1; (1,2); 1.0/0; -1.0/0; 5 > 4 > 3
""".replace("\n", ";")
CAST = re.compile(r"^\((?:[^()]|\([^()]*\))*\) (?=0x|@)")      # GDB's "(struct node *) " in front of an address


@pytest.fixture(scope="module")
def live(need: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[Module, list[Stop]]]:
    """Return a function that builds a program and stops it."""
    for tool in ("gdb-multiarch", "qemu-arm", "arm-linux-gnueabihf-gcc", "arm-linux-gnueabihf-g++"):
        need(tool)
    place = tmp_path_factory.mktemp("variables")

    def start(source: str, *options: str, places: list[str], count: int, steps: int = 0,
              expressions: tuple[str, ...] = ()) -> tuple[Module, list[Stop]]:  # fmt: skip
        program = build(place, source, "-static", *options)
        module = Module.open(program)
        areas = [(segment.address, segment.size) for segment in module.elf.segments if segment.type == 1]
        return module, capture(program, places, count=count, steps=steps, areas=areas, expressions=expressions)

    return start


def scope_at(module: Module, stop: Stop, level: int = 0) -> Scope:
    """Return what names mean at a stop."""
    modules = Modules([module])
    frames = backtrace(stop.registers, stop.read, modules)
    return Scope(modules, stop.read, frames[level], frames[level + 1 :])


@pytest.mark.parametrize("options", [
    ("-gdwarf-2", "-O0"), ("-gdwarf-3", "-O2"), ("-gdwarf-4", "-O1"), ("-gdwarf-5", "-O0", "-marm"), ("-gdwarf-5", "-O2"),
    ("-gdwarf-5", "-Og", "-fdebug-types-section"),
], ids=" ".join)  # fmt: skip
def test_variables_of_all_frames_are_gdbs(options: tuple[str, ...], live: Callable[..., tuple[Module, list[Stop]]]) -> None:
    module, stops = live("a.c", *options, places=["leaf", "recurse", "compare", "apply"], count=7, steps=8)
    compared = 0
    for stop in stops:
        modules = Modules([module])
        frames = backtrace(stop.registers, stop.read, modules)
        for index, (frame, expected) in enumerate(zip(frames, stop.frames, strict=False)):
            scope = Scope(modules, stop.read, frame, frames[index + 1 :])
            found: dict[str, str] = {}
            for variable in (*scope.parameters(), *scope.locals()):
                found.setdefault(variable.name, variable.text)
            known = {name: CAST.sub("", value) for name, value in (expected["locals"] | expected["args"]).items()}
            assert {name: text for name, text in found.items() if name in known} == known, (frame.function, hex(frame.pc))
            compared += len(known)
    assert compared > 100
    assert module.problems == []


@pytest.mark.parametrize("options", [("-g", "-O0"), ("-g", "-O0", "-marm")], ids=" ".join)
def test_expressions_have_gdbs_values(options: tuple[str, ...], live: Callable[..., tuple[Module, list[Stop]]]) -> None:
    expressions = tuple(text.strip() for text in EXPRESSIONS.split(";") if text.strip())
    module, stops = live("a.c", *options, places=["leaf", "a.c:36"], count=3, expressions=expressions)
    compared = 0
    for stop in stops:
        scope = scope_at(module, stop)
        for expression, expected in stop.values.items():
            if expected.startswith(("error", "No symbol")) or "No symbol" in expected:
                with pytest.raises(UsageError):
                    print(expression, evaluate(expression, scope), expected)
                continue
            assert evaluate(expression, scope).text() == CAST.sub("", expected), expression
            compared += 1
    assert compared > 150


def test_cplusplus_objects(live: Callable[..., tuple[Module, list[Stop]]]) -> None:
    module, (stop, *_) = live("b.cc", "-g", "-O0", places=["geo::Derived::area", "b.cc:6"], count=2)
    scope = scope_at(module, stop)
    assert evaluate("this->w * h", scope).text() == "12"
    assert evaluate("id", scope).text() == "42"
    assert evaluate("this", scope).type.plain.target.plain.name == "geo::Derived"
    assert evaluate("*this", scope).text().endswith("id = 42}, w = 3, h = 4}")
    assert evaluate("geo::Outer::shared", scope).text() == "77"
    outer = scope_at(module, stop, 1)
    assert evaluate("d.w", outer).text() == "3"
    assert evaluate("b.id + o.in.v", outer).number() == 42 + (1 << 40)
    assert evaluate("o.ok", outer).text() == "true"
    assert evaluate("o", outer).text() == "{static shared = 77, in = {v = 1099511627776}, ok = true}"
    assert module.named_functions("geo::Derived::area") == module.named_functions("Derived::area") != []
    assert [child.name for child in outer_variable(outer, "d").children()] == ["<geo::Base>", "w", "h"]


def outer_variable(scope: Scope, name: str):
    return next(variable for variable in scope.locals() if variable.name == name)


def test_changing_variables(live: Callable[..., tuple[Module, list[Stop]]]) -> None:
    module, (stop,) = live("a.c", "-g", "-O0", places=["a.c:36"], count=1)
    scope = scope_at(module, stop)
    node = evaluate("n", scope).integer()
    (write,) = assignment("n->at.x = 7", scope)
    assert (write.address, write.data) == (evaluate("&n->at.x", scope).integer(), b"\7\0\0\0")
    (write,) = assignment("n->at.flag = 2", scope)
    assert write.data == bytes([(stop.read(node + 12, 1) or b"")[0] & ~7 | 2])
    (write,) = assignment("n->d += 0.5", scope)
    assert len(write.data) == 8
    (write,) = assignment("n->c = BLUE", scope)
    assert int.from_bytes(write.data, "little") == 6
    (write,) = assignment("$r0 = 0x1234", scope)
    assert (write.register, write.value) == ("r0", 0x1234)
    for text, message in {
        "5 = 3": "it cannot be changed: it is not stored anywhere",
        "n->at = 3": "a value of type int for one of type struct point",
        "n->at.x": "no assignment: 'n->at.x'",
    }.items():
        with pytest.raises(UsageError, match=re.escape(message)):
            assignment(text, scope)


def test_a_register_of_a_caller_is_changed_where_it_was_saved(live: Callable[..., tuple[Module, list[Stop]]]) -> None:
    module, stops = live("a.c", "-g", "-O2", places=["leaf"], count=1, steps=3)
    modules = Modules([module])
    frames = backtrace(stops[-1].registers, stops[-1].read, modules)
    frame = next(frame for frame in frames[1:] if not frame.inline and "r4" in frame.saved)
    scope = Scope(modules, stops[-1].read, frame)
    (write,) = assignment("$r4 = 99", scope)
    assert (write.address, write.data) == (frame.saved["r4"], b"\x63\0\0\0")


@pytest.mark.parametrize(("text", "message"), [
    ("n->att", "struct node has no member 'att'; did you mean 'at'?"),
    ("dept", "no variable or symbol 'dept' here; did you mean 'depth'?"),
    ("(struct nod *)n", "no type 'struct nod'; did you mean 'node'?"),
    ("n +", "expected a value at the end of 'n +'"),
    ("n n", "expected an operator before 'n' in 'n n'"),
    ("leaf(n, 3)", "functions cannot be called: leaf()"),
    ("depth++", "'++' is not supported: write += 1 or -= 1"),
    ("1/0", "division by zero"),
    ("1 << 40", "a shift of int by 40 bits"),
    ("$r99", "no register $r99"),
    ("*(void *)n", "a void * points to nothing that has a size; cast it"),
    ("n = 3", "an assignment where a value should be; to compare, write =="),
    ("*(int *)0", "cannot access memory at address 0x0"),
    ("table@0", "an array of 0 elements"),
    ("n->at + 1", "+ needs numbers, not struct point"),
    ("&5", "it has no address"),
    ("n ` 3", "is not understood"),
    ("(" * 100 + "1" + ")" * 100, "nested deeper"),
    ("nofile.c::x", "no variable 'x' in nofile.c"),
    ("~1.5", "~ needs an integer, not double"),
])  # fmt: skip
def test_errors_are_one_clear_line(text: str, message: str, live: Callable[..., tuple[Module, list[Stop]]]) -> None:
    module, (stop,) = live("a.c", "-g", "-O0", places=["a.c:36"], count=1)
    with pytest.raises(UsageError) as caught:
        truth(text, scope_at(module, stop))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_conditions_and_formats(live: Callable[..., tuple[Module, list[Stop]]]) -> None:
    module, (stop,) = live("a.c", "-g", "-O0", places=["a.c:36"], count=1)
    scope = scope_at(module, stop)
    assert truth("n->at.x == 3 && depth && a.c::counter == 7", scope)
    assert not truth("counter > 100", scope)
    assert evaluate("table", scope).text("x") == "{{0x1, 0x2}, {0x3, 0x4}, {0x5, 0x6}, {0x7, 0x8}}"
    assert [evaluate("counter", scope).text(form) for form in "xduotcz"] == ["0x7", "7", "7", "07", "111", "7 '\\a'", "0x00000007"]
    assert evaluate("-1", scope).text("u") == "4294967295"
    assert evaluate("n->fn", scope).text("a").endswith("<add_one>")
    assert "no output format" in evaluate("counter", scope).text("k")


def test_names_without_debug_information(need: Callable[..., str], tmp_path: Path) -> None:
    need("arm-linux-gnueabihf-gcc")
    module = Module.open(build(tmp_path, "a.c", "-g0"), debug_places=[])
    scope = Scope(Modules([module]), module.elf.read)
    assert evaluate("counter", scope).number() == 7
    assert evaluate("status_register", scope).size == 1
    assert evaluate("*(int *)&table[4]", scope).number() == 2
    assert evaluate("((uint32_t *)&table)[2]", scope).text() == "3"
    assert evaluate("main", scope).text().endswith("<main>")
