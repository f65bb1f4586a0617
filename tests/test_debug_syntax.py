"""The grammar of expressions: trees of text."""

from __future__ import annotations

import pytest

from xemu.debug.syntax import (
    Assign,
    Binary,
    Cast,
    Char,
    Conditional,
    Float,
    Index,
    Member,
    Name,
    Number,
    Register,
    Scoped,
    SizeOf,
    String,
    TypeName,
    Unary,
    parse,
    unescape,
    walk,
)
from xemu.errors import UsageError

a, b, c = Name("a"), Name("b"), Name("c")


def is_type(name: str) -> bool:
    """Tell the types of these tests."""
    return name in ("word_t", "ns::Type")


@pytest.mark.parametrize(("text", "tree"), [
    ("a + b * c", Binary("+", a, Binary("*", b, c))),
    ("a * b + c", Binary("+", Binary("*", a, b), c)),
    ("a - b - c", Binary("-", Binary("-", a, b), c)),
    ("a << b + c", Binary("<<", a, Binary("+", b, c))),
    ("a & b == c", Binary("&", a, Binary("==", b, c))),
    ("a || b && c", Binary("||", a, Binary("&&", b, c))),
    ("a | b ^ c", Binary("|", a, Binary("^", b, c))),
    ("a ? b : c", Conditional(a, b, c)),
    ("a = b += c", Assign("", a, Assign("+", b, c))),
    ("-a[b].c", Unary("-", Member(Index(a, b), "c"))),
    ("*a->b", Unary("*", Member(a, "b", arrow=True))),
    ("&*a", Unary("&", Unary("*", a))),
    ("!~a", Unary("!", Unary("~", a))),
    ("*a@b + c", Binary("+", Binary("@", Unary("*", a), b), c)),
    ("a, b", Binary(",", a, b)),
    ("0x1F", Number(31, "", decimal=False)),
    ("017", Number(15, "", decimal=False)),
    ("10UL", Number(10, "ul")),
    ("0b101", Number(5, "", decimal=False)),
    ("1.5e3f", Float(1500.0, "f")),
    (".5", Float(0.5)),
    ("'\\x41'", Char(65)),
    ("'\\''", Char(39)),
    ('"a\\tb"', String(b"a\tb")),
    ("$sp + 4", Binary("+", Register("sp"), Number(4))),
    ("'dir/main.c'::a", Scoped("dir/main.c", "a")),
    ("main.c::a", Scoped("main.c", "a")),
    ("ns::a", Name("ns::a")),
    ("(char)a", Cast(TypeName("char"), a)),
    ("(unsigned long *)a", Cast(TypeName("unsigned long", ("*",)), a)),
    ("(const struct node **)a", Cast(TypeName("struct node", ("*", "*")), a)),
    ("(word_t)-a", Cast(TypeName("word_t"), Unary("-", a))),
    ("(ns::Type *)a", Cast(TypeName("ns::Type", ("*",)), a)),
    ("(a)-b", Binary("-", a, b)),
    ("(char (*)[4])a", Cast(TypeName("char", (4, "*")), a)),
    ("(char *[4])a", Cast(TypeName("char", ("*", 4)), a)),
    ("sizeof a", SizeOf(a)),
    ("sizeof(int[2][3])", SizeOf(TypeName("int", (3, 2)))),
    ("sizeof(a) + b", Binary("+", SizeOf(a), b)),
])  # fmt: skip
def test_trees(text: str, tree: object) -> None:
    assert parse(text, is_type) == tree


@pytest.mark.parametrize("text", ["", "a b", "(a", "a)", "a[", "a.", "a->3", "1x", "08", "'ab'", '"a', "$", "int", "a ? b", "sizeof",
                                  "(char", "@a", "#", "a == ", "0x", "f(1)", "a\\b", "*" * 100 + "a", "a" * 20_000])  # fmt: skip
def test_what_is_no_expression(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text, is_type)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_positions_and_walking() -> None:
    tree = parse("a + b.c")
    assert [type(node).__name__ for node in walk(tree)] == ["Binary", "Name", "Member", "Name"]
    assert (tree.at, tree.left.at, tree.right.operand.at) == (2, 0, 4)
    assert hash(tree) == hash(parse("a  +  b.c"))


def test_escapes() -> None:
    assert unescape(r"\n\0\101\x7e\\q") == b"\n\0A~\\q"
