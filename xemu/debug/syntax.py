"""C expressions as trees: what `parse` makes of text, for whoever evaluates or compiles them.

    expression  := assignment { "," assignment }
    assignment  := conditional [ ("=" | "+=" | "-=" | …) assignment ]
    conditional := binary [ "?" expression ":" conditional ]
    binary      := C's precedence, and "@" (what is at the left and behind it: an array) above "*"
    unary       := ("*" "&" "-" "+" "!" "~") unary | "sizeof" … | "(" type ")" unary | postfix
    postfix     := primary { "[" expression "]" | "." name | "->" name }
    primary     := number | character | string | name | "$" register | [file-or-function "::"] name | "(" expression ")"

Nodes are frozen and compare by value. `at` and `end` say where in the text a node stands; they do not take part in comparisons.
Names of types cannot be told from others by their looks: `parse` asks `is_type`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from xemu.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_LENGTH = 10_000        # characters
MAX_DEPTH = 60             # of nesting


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A part of an expression."""

    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Number(Node):
    """An integer; `suffix` is "" or made of "u", "l", "ll" ("ull"), `decimal` says how it was written (C types them differently)."""

    value: int
    suffix: str = ""
    decimal: bool = True


@dataclass(frozen=True, slots=True)
class Float(Node):
    """A floating-point number; `suffix` is "", "f" or "l"."""

    value: float
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class Char(Node):
    """A character, 'a'."""

    value: int


@dataclass(frozen=True, slots=True)
class String(Node):
    """A string, "text", without its zero."""

    value: bytes


@dataclass(frozen=True, slots=True)
class Name(Node):
    """A variable, function, enumerator or symbol; with "::" of C++ inside."""

    name: str


@dataclass(frozen=True, slots=True)
class Scoped(Node):
    """A variable of a file or function: 'file.c'::name, file.c::name, function::name."""

    scope: str
    name: str


@dataclass(frozen=True, slots=True)
class Register(Node):
    """A register, $r0; the name has no "$"."""

    name: str


@dataclass(frozen=True, slots=True)
class Unary(Node):
    """`op`: "*" "&" "-" "+" "!" "~"."""

    op: str
    operand: Node


@dataclass(frozen=True, slots=True)
class Binary(Node):
    """`op`: "*" "/" "%" "+" "-" "<<" ">>" "<" ">" "<=" ">=" "==" "!=" "&" "^" "|" "&&" "||" "@" ","."""

    op: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Conditional(Node):
    """`condition ? yes : no`."""

    condition: Node
    yes: Node
    no: Node


@dataclass(frozen=True, slots=True)
class Assign(Node):
    """`target = value`; `op` is the operator in front of "=", or ""."""

    op: str
    target: Node
    value: Node


@dataclass(frozen=True, slots=True)
class TypeName(Node):
    """A type: its words without qualifiers ("struct node", "unsigned int", "uint8_t"), then "*", "&" or an array's length, inside out.

    "char *[4]" is TypeName("char", ("*", 4)): an array of pointers. "char (*)[4]" is TypeName("char", (4, "*")).
    """

    base: str
    derived: tuple[str | int, ...] = ()


@dataclass(frozen=True, slots=True)
class Cast(Node):
    """`(type) operand`."""

    type: TypeName
    operand: Node


@dataclass(frozen=True, slots=True)
class SizeOf(Node):
    """`sizeof (type)` or `sizeof operand`."""

    operand: Node


@dataclass(frozen=True, slots=True)
class Member(Node):
    """`operand.name`, or `operand->name` with `arrow`."""

    operand: Node
    name: str
    arrow: bool = False


@dataclass(frozen=True, slots=True)
class Index(Node):
    """`operand[index]`."""

    operand: Node
    index: Node


PRECEDENCE = {
    op: level
    for level, operators in enumerate(("||", "&&", "|", "^", "&", "== !=", "< > <= >=", "<< >>", "+ -", "* / %", "@"), 1)
    for op in operators.split()
}
TYPE_WORDS = {"char", "short", "int", "long", "signed", "unsigned", "float", "double", "void", "_Bool", "bool"}
TAG_WORDS = {"struct", "union", "class", "enum"}
QUALIFIERS = {"const", "volatile", "restrict", "register"}
_TOKEN = re.compile(
    r"\s*(?:(?P<float>(?:\d+\.\d*|\.\d+)(?:[eE][+-]?\d+)?[fFlL]?|\d+[eE][+-]?\d+[fFlL]?)"
    r"|(?P<number>(?:0[xX][0-9a-fA-F]+|0[bB][01]+|\d+)(?P<suffix>[uUlL]*))(?![\w.])"
    r"|(?P<quoted>'(?:[^'\\\n]|\\.){2,}'(?=\s*::))"
    r"|(?P<char>'(?:[^'\\\n]|\\[0-7]{1,3}|\\x[0-9a-fA-F]+|\\.)')"
    r'|(?P<string>"(?:[^"\\\n]|\\.)*")'
    r"|(?P<file>[\w/+-][\w./+-]*\.(?:c|cc|cpp|cxx|C|h|hh|hpp|S|s|rs)(?=\s*::))"
    r"|(?P<register>\$[A-Za-z_]\w*)"
    r"|(?P<name>(?:::)?[A-Za-z_]\w*(?:::~?[A-Za-z_]\w*)*)"
    r"|(?P<op><<=|>>=|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|[-+*/%&|^!~<>=?:,.@()\[\]]|::))"
)
_ESCAPES = {"n": 10, "t": 9, "r": 13, "0": 0, "a": 7, "b": 8, "f": 12, "v": 11, "e": 27}
_ASSIGNMENTS = {"=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>="}


@dataclass(frozen=True, slots=True)
class Token:
    """A word of an expression; `kind` is a group of the pattern, "end" behind the last."""

    kind: str
    text: str
    at: int


def tokenize(text: str) -> list[Token]:
    """Return the words of an expression; UsageError."""
    if len(text) > MAX_LENGTH:
        raise UsageError(f"an expression of {len(text)} characters; at most {MAX_LENGTH} make sense")
    tokens, at, end = [], 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            rest = text[at:].strip()
            raise UsageError(f"{_shorten(rest)!r} is not understood in {_shorten(text)!r}")
        kind = next(name for name in ("float", "number", "quoted", "char", "string", "file", "register", "name", "op") if match[name])
        tokens.append(Token(kind, match[kind], match.start(kind)))
        at = match.end()
    tokens.append(Token("end", "", end))
    return tokens


def _shorten(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "…"


def parse(text: str, is_type: Callable[[str], bool] = lambda _: False) -> Node:
    """Return the tree of an expression; UsageError says in a line what is wrong with it.

    `is_type` says whether a name is a typedef, structure, class or enumeration; C's own words for types need no asking.
    """
    parser = _Parser(text, is_type)
    tree = parser.expression()
    parser.finish()
    return tree


class _Parser:
    def __init__(self, text: str, is_type: Callable[[str], bool]) -> None:
        self.text, self.is_type = text, is_type
        self.tokens = tokenize(text)
        self.position = 0
        self.depth = 0

    # -- words -----------------------------------------------------------------------------------------------------------
    @property
    def token(self) -> Token:
        return self.tokens[self.position]

    def take(self) -> Token:
        token = self.token
        self.position += token.kind != "end"
        return token

    def accept(self, *texts: str) -> Token | None:
        if self.token.kind in ("op", "name") and self.token.text in texts:
            return self.take()
        return None

    def expect(self, text: str) -> None:
        if not self.accept(text):
            raise self.error(f"expected {text!r}")

    def error(self, what: str) -> UsageError:
        token = self.token
        where = "at the end of" if token.kind == "end" else f"before {token.text!r} in"
        return UsageError(f"{what} {where} {_shorten(self.text)!r}")

    def finish(self) -> None:
        if self.token.kind != "end":
            if self.token.text == "(":
                raise UsageError(f"functions cannot be called: {_shorten(self.text)!r}")
            if self.token.text in ("++", "--"):
                raise UsageError(f"{self.token.text!r} is not supported: write += 1 or -= 1")
            raise self.error("expected an operator")

    # -- operators ---------------------------------------------------------------------------------------------------------
    def expression(self) -> Node:
        tree = self.assignment()
        while token := self.accept(","):
            tree = Binary(",", tree, self.assignment(), at=token.at)
        return tree

    def assignment(self) -> Node:
        tree = self.conditional()
        if self.token.kind == "op" and self.token.text in _ASSIGNMENTS:
            token = self.take()
            return Assign(token.text[:-1], tree, self.assignment(), at=token.at)
        return tree

    def conditional(self) -> Node:
        tree = self.binary(1)
        if token := self.accept("?"):
            yes = self.expression()
            self.expect(":")
            return Conditional(tree, yes, self.conditional(), at=token.at)
        return tree

    def binary(self, level: int) -> Node:
        tree = self.unary()
        while self.token.kind == "op" and PRECEDENCE.get(self.token.text, 0) >= level:
            token = self.take()
            tree = Binary(token.text, tree, self.binary(PRECEDENCE[token.text] + 1), at=token.at)
        return tree

    def unary(self) -> Node:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise UsageError(f"an expression nested deeper than {MAX_DEPTH}: {_shorten(self.text)!r}")
        try:
            return self._unary()
        finally:
            self.depth -= 1

    def _unary(self) -> Node:
        at = self.token.at
        if token := self.accept("*", "&", "-", "+", "!", "~"):
            return Unary(token.text, self.unary(), at=at)
        if self.token.kind == "op" and self.token.text in ("++", "--"):
            raise UsageError(f"{self.token.text!r} is not supported: write += 1 or -= 1")
        if self.token.kind == "name" and self.token.text == "sizeof":
            self.take()
            if self.token.text == "(" and self.type_follows(1):
                self.take()
                kind = self.type_name()
                self.expect(")")
                return SizeOf(kind, at=at)
            return SizeOf(self.unary(), at=at)
        if self.token.text == "(" and self.token.kind == "op" and self.type_follows(1):
            self.take()
            kind = self.type_name()
            self.expect(")")
            return Cast(kind, self.unary(), at=at)
        return self.postfix()

    def postfix(self) -> Node:
        tree = self.primary()
        while True:
            at = self.token.at
            if self.accept("["):
                index = self.expression()
                self.expect("]")
                tree = Index(tree, index, at=at)
            elif token := self.accept(".", "->"):
                if self.token.kind != "name":
                    raise self.error("expected a member's name")
                tree = Member(tree, self.take().text, token.text == "->", at=at)
            else:
                return tree

    def primary(self) -> Node:
        token = self.token
        match token.kind:
            case "number": return self._number(self.take())
            case "float":
                text = self.take().text
                suffix = text[-1].lower() if text[-1] in "fFlL" else ""
                return Float(float(text.rstrip("fFlL")), suffix, at=token.at)
            case "char": return Char(unescape(self.take().text[1:-1])[0], at=token.at)
            case "string": return String(unescape(self.take().text[1:-1]), at=token.at)
            case "register": return Register(self.take().text[1:], at=token.at)
            case "quoted" | "file":
                scope = self.take().text.strip("'")
                self.take_scope()
                return Scoped(scope, self.variable(), at=token.at)
            case "name": return self._name(self.take())
        if self.accept("("):
            tree = self.expression()
            self.expect(")")
            return tree
        raise self.error("expected a value")

    def take_scope(self) -> None:
        """Take the "::" behind a file, which the pattern of names may have joined to the next name."""
        if self.token.kind == "name" and self.token.text.startswith("::"):
            return
        self.expect("::")

    def variable(self) -> str:
        if self.token.kind != "name":
            raise self.error("expected a variable's name")
        return self.take().text.removeprefix("::")

    @staticmethod
    def _number(token: Token) -> Node:
        digits = token.text.rstrip("uUlL")
        suffix = token.text[len(digits) :].lower()
        suffix = ("u" if "u" in suffix else "") + "l" * min(2, suffix.count("l"))
        octal = len(digits) > 1 and digits[0] == "0" and digits.isdigit()
        if octal and set(digits) & set("89"):
            raise UsageError(f"{token.text!r} is no octal number")
        return Number(int(digits, 8 if octal else 0), suffix, not octal and digits.isdigit(), at=token.at)

    def _name(self, token: Token) -> Node:
        if self.token.text == "(" and self.token.kind == "op":
            raise UsageError(f"functions cannot be called: {token.text}()")
        if token.text in TYPE_WORDS or token.text in TAG_WORDS:
            raise UsageError(f"a type where a value should be: {token.text!r}")
        return Name(token.text.removeprefix("::"), at=token.at)

    # -- types -------------------------------------------------------------------------------------------------------------
    def type_follows(self, ahead: int) -> bool:
        """Whether the word after `ahead` others starts a type."""
        token = self.tokens[min(self.position + ahead, len(self.tokens) - 1)]
        if token.kind != "name":
            return False
        return token.text in TYPE_WORDS | TAG_WORDS | QUALIFIERS or self.is_type(token.text)

    def type_name(self) -> TypeName:
        at = self.token.at
        words: list[str] = []
        while self.token.kind == "name":
            text = self.token.text
            if text in QUALIFIERS:
                self.take()
            elif text in TAG_WORDS:
                words.append(self.take().text)
                words.append(self.variable())
            elif text in TYPE_WORDS or not words:
                words.append(self.take().text)
            else:
                break
        return TypeName(" ".join(words), tuple(self._declarator()), at=at)

    def _declarator(self) -> list[str | int]:
        """Read "*", "&", "[4]" and what stands in parentheses; the last of the result is the outermost."""
        found: list[str | int] = []
        while True:
            if token := self.accept("*", "&", "&&"):
                found.append(token.text)
            elif not (self.token.kind == "name" and self.token.text in QUALIFIERS and self.take()):
                break
        inside: list[str | int] = []
        if self.token.text == "(" and self.tokens[self.position + 1].text in ("*", "&"):
            self.take()
            inside = self._declarator()
            self.expect(")")
        sizes: list[str | int] = []
        while self.accept("["):
            if self.token.kind != "number":
                raise self.error("expected an array's length")
            size = self._number(self.take())
            assert isinstance(size, Number)
            sizes.append(size.value)
            self.expect("]")
        return [*found, *reversed(sizes), *inside]


def unescape(text: str) -> bytes:
    """Return the bytes of a character or string with C's escapes."""
    found = bytearray()
    at = 0
    while at < len(text):
        if text[at] != "\\":
            found += text[at].encode()
            at += 1
        elif match := re.compile(r"\\([0-7]{1,3})").match(text, at):
            found.append(int(match[1], 8) & 0xFF)
            at = match.end()
        elif match := re.compile(r"\\x([0-9a-fA-F]{1,2})").match(text, at):
            found.append(int(match[1], 16))
            at = match.end()
        else:
            escape = text[at + 1]
            found += bytes([_ESCAPES[escape]]) if escape in _ESCAPES else escape.encode()
            at += 2
    return bytes(found)


def walk(tree: Node) -> list[Node]:
    """Return a tree's nodes, itself first."""
    found = [tree]
    for node in found:
        found += [value for name in node.__dataclass_fields__ if isinstance(value := getattr(node, name), Node)]
    return found
