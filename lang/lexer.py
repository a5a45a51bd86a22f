"""Text -> tokens: the lexical rules of language.md section 3.

The whole file is read before anything is parsed, so that lexical errors come before syntax errors (17.1); a faulty
token is reported and stands in the list as what it was meant to be. Token types are the terminals of script.lark.
Portability findings that only the tokens show (P001-P007, P010, P011) are reported here, too.
"""

from __future__ import annotations

import re
from array import array
from typing import NamedTuple, Protocol

import msgspec

from lang.code import Code
from lang.diagnostics import Diagnostics, Hint
from lang.nearest import nearest_hint
from lang.source import SourceFile, Span
from vm import late_pattern
from vm.facts import numbers
from vm.facts.builtins import BUILTIN_INDEX
from vm.facts.pseudo_registers import PSEUDO_INDEX
from vm.facts.registers import REGISTER_INDEX

TYPE_WORDS = frozenset(("signed", "unsigned", "void", "bool", "char", "short", "int", "long", "float", "double"))
KEYWORDS = frozenset(
    ("if", "elsif", "else", "for", "while", "do", "break", "continue", "return", "struct", "typedef", "sizeof")
)

OPERATORS: dict[str, str] = {
    "(": "LPAR", ")": "RPAR", "{": "LBRACE", "}": "RBRACE", "[": "LSQB", "]": "RSQB", ";": "SEMICOLON", ",": "COMMA",
    "=": "ASSIGN", "++": "STEP", "--": "STEP", "->": "ARROW", ".": "DOT", "?": "QUESTION", ":": "COLON",
    "+": "PLUS", "-": "MINUS", "*": "STAR", "/": "SLASH", "%": "SLASH", "~": "TILDE", "!": "TILDE", "&": "AMP",
    "|": "PIPE", "^": "CARET", "<<": "SHIFT", ">>": "SHIFT", "&&": "AND_AND", "||": "OR_OR",
} | dict.fromkeys(("<", ">", "<=", ">=", "==", "!="), "COMPARE") | dict.fromkeys(
    ("+=", "-=", "*=", "/=", "%=", "<<=", ">>=", "&=", "|=", "^="), "OP_ASSIGN"
)  # fmt: skip

TOKEN_PATTERN = late_pattern(
    r"""
    (?P<space>[ \t\r\n\f\v]+)
  | (?P<line_comment>//[^\r\n]*)
  | (?P<comment>/\*.*?\*/)
  | (?P<open_comment>/\*)
  | (?P<include>\#[ \t]*include\b)
  | (?P<directive>\#[^\r\n]*)
  | (?P<string>L?"[^"\\]*+(?:\\.[^"\\]*+)*+")
  | (?P<open_string>L?")
  | (?P<symbol>[A-Za-z_][A-Za-z0-9_`]*![A-Za-z_][A-Za-z0-9_`]*)
  | (?P<word>[A-Za-z_][A-Za-z0-9_`]*)
  | (?P<number>(?:\.[0-9]|[0-9])[A-Za-z0-9_`]*+(?:\.[A-Za-z0-9_`]*+)*+)
  | (?P<dotted>\.[A-Za-z_][A-Za-z0-9_`]*)
  | (?P<register>@[A-Za-z0-9_]*)
  | (?P<pseudo>\$[A-Za-z0-9_]*)
  | (?P<character>'[^'\\\r\n]*+(?:\\.[^'\\\r\n]*+)*+'?)
  | (?P<operator><<=|>>=|[-+*/%&|^<>=!]=|\+\+|--|->|<<|>>|&&|\|\||[-+*/%&|^~!<>=.,;(){}\[\]?:])
  | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
ARGUMENT = late_pattern(r"\$arg[0-9]+")
NO_ARGUMENT_HINT = "`--arg VALUE` gives it one; in a file that `.script` runs, the words behind its name do"
INCLUDE_PATH = late_pattern(r'[ \t]*"([^"\r\n]*)"')
_FLOAT = late_pattern(r"(?P<whole>[0-9][0-9`]*)?\.(?P<fraction>[0-9]*)")
ESCAPE = late_pattern(r"\\(?:x(?P<hex>[0-9a-fA-F]*)|(?P<octal>[0-7]{1,3})|(?P<single>.))", re.DOTALL)
_USUAL_SPACE = " \n\t"
_SINGLE = {"n": 10, "t": 9, "\\": 92, '"': 34, "'": 39, "?": 63, "r": 13, "a": 7, "b": 8, "f": 12, "v": 11}
_V023_SINGLE = frozenset('nt\\"')


class Token(NamedTuple):  # made in a third of the time of a frozen dataclass
    """A token: its terminal, its text, its place, and the value of a literal."""

    type: str
    text: str
    span: Span
    value: object = None


class Located(Protocol):
    """A literal as it stands in the source."""

    @property
    def text(self) -> str: ...
    @property
    def span(self) -> Span: ...


class StringValue(msgspec.Struct, frozen=True):
    """The units of a string literal with their terminating zero, as bytes (wide: UTF-16 little-endian)."""

    data: bytes
    wide: bool


class Lexer:
    """Reads one file. `diagnostics` receives what is wrong with it."""

    def __init__(self, source: SourceFile, start: int, end: int, diagnostics: Diagnostics) -> None:
        self.source = source
        self.start = start
        self.end = end
        self.diagnostics = diagnostics
        self.tokens: list[Token] = []

    def run(self) -> list[Token]:
        """All tokens of the range, in order."""
        text, at = self.source.text, self.start
        if at == 0 and text.startswith("\ufeff"):
            at = 1
        while at < self.end:
            if text[at] in _USUAL_SPACE:
                at += 1
                continue
            match = TOKEN_PATTERN.match(text, at, self.end)
            assert match is not None
            kind = match.lastgroup
            assert kind is not None
            start, at = at, match.end()
            span = Span(self.source, start, at)
            if kind == "word":
                self.word(match[0], span)
            elif kind == "operator":
                self.tokens.append(Token(OPERATORS[match[0]], match[0], span))
            elif kind == "space":
                self.space(match[0], span)
            elif kind != "line_comment":
                at = getattr(self, kind)(match[0], span)
        return self.tokens

    def add(self, kind: str, text: str, span: Span, value: object = None) -> int:
        """Append a token; the offset behind it."""
        self.tokens.append(Token(kind, text, span, value))
        return span.end

    def error(self, code: Code, message: str, span: Span, hint: Hint = None) -> None:
        """Record a finding."""
        self.diagnostics.add(code, message, span, hint)

    # --- white space and comments

    def space(self, text: str, span: Span) -> None:
        """P005: what v0.23 does not take for white space."""
        for offset, char in enumerate(text):
            if char in "\r\f\v":
                place = Span(self.source, span.start + offset, span.start + offset + 1)
                name = {"\r": "carriage return", "\f": "form feed", "\v": "vertical tab"}[char]
                self.error(
                    Code.V023_WHITE_SPACE, f"HyperDbg v0.23 rejects a {name} in a script", place, "use LF line ends"
                )
                return

    def comment(self, text: str, span: Span) -> int:
        """P004: v0.23 looks at the stars before the slash two at a time."""
        stars = len(text[2:-1]) - len(text[2:-1].rstrip("*"))
        if stars % 2 == 0 and len(text) > 4:
            self.error(
                Code.V023_STARS, f"HyperDbg v0.23 does not see the end of this comment ({stars} stars before `/`)", span
            )
        return span.end

    def open_comment(self, text: str, span: Span) -> int:
        """E002: the rest of the file is taken for the comment."""
        self.error(Code.OPEN_COMMENT, "this comment is never closed", span, "close it with `*/`")
        return self.end

    # --- words

    def word(self, text: str, span: Span) -> None:
        """Language.md 3.2: the first matching row decides."""
        if self.source.text.startswith("!=", span.end):
            self.error(
                Code.V023_SYMBOL, "HyperDbg v0.23 reads a symbol name here", span, "put a blank in front of `!=`"
            )
        previous = self.tokens[-1] if self.tokens else None
        if previous is not None and previous.type in ("ARROW", "DOT") and "`" not in text:
            self.add("NAME", text, span)
        elif text in TYPE_WORDS:
            self.add("TYPE_WORD", text, span)
        elif text in KEYWORDS:
            self.add(text.upper(), text, span)
        elif text in BUILTIN_INDEX:
            self.add("BUILTIN", text, span)
        elif text in REGISTER_INDEX:
            self.add("REGISTER", text, span, REGISTER_INDEX[text])
        elif numbers.has_only_digits(text, numbers.SCRIPT):
            self.integer(text, span)
        elif "`" in text:
            at = span.start + text.index("`")
            self.error(Code.BAD_CHARACTER, "a back-tick cannot stand in a name", Span(self.source, at, at + 1))
            self.add("NAME", text.replace("`", ""), span)
        else:
            if numbers.has_only_digits(text.replace("_", ""), numbers.HEXADECIMAL):
                self.error(
                    Code.V023_HEX_WORD, f"`{text}` is a name here; HyperDbg v0.23 reads it as a number", span,
                    f"use a name with another letter, for example `{text}_v`",
                )  # fmt: skip
            self.add("NAME", text, span)

    def symbol(self, text: str, span: Span) -> int:
        """A symbol `module!name`."""
        return self.add("SYMBOL", text, span)

    def dotted(self, text: str, span: Span) -> int:
        """A global or a member: which one, the parser knows."""
        if "`" in text:
            self.error(Code.BAD_CHARACTER, "a back-tick cannot stand in a name", span)
        return self.add("DOTTED", text[1:].replace("`", ""), span)

    def register(self, text: str, span: Span) -> int:
        """`@name`."""
        index = REGISTER_INDEX.get(text[1:])
        if index is None:
            self.error(
                Code.UNKNOWN_REGISTER, f"`{text}` is no register", span, nearest_hint(text[1:], REGISTER_INDEX, "@")
            )
        return self.add("REGISTER", text[1:], span, index or 0)

    def pseudo(self, text: str, span: Span) -> int:
        """`$name`; a left-over `$argN` has its own message."""
        index = PSEUDO_INDEX.get(text[1:])
        if index is None and ARGUMENT.fullmatch(text):
            self.error(Code.NO_ARGUMENT, f"`{text}` has no value", span, NO_ARGUMENT_HINT)
        elif index is None:
            self.error(
                Code.UNKNOWN_PSEUDO_REGISTER,
                f"`{text}` is no pseudo-register",
                span,
                nearest_hint(text[1:], PSEUDO_INDEX, "$"),
            )
        return self.add("PSEUDO", text[1:], span, index or 0)

    # --- numbers

    def number(self, text: str, span: Span) -> int:
        """A word that starts with a digit, or a floating-point literal."""
        if "." in text:
            return self.floating(text, span)
        return self.integer(text, span)

    def integer(self, text: str, span: Span) -> int:
        """E004 for a wrong digit, E005 for a value beyond 64 bits."""
        reading = numbers.read(text, numbers.SCRIPT)
        value = reading.value
        if reading.wrong is not None:
            at = span.start + reading.wrong
            self.error(
                Code.BAD_INTEGER, f"`{text[reading.wrong]}` is no digit of a number in base {reading.base}",
                Span(self.source, at, at + 1), _number_hint(text),
            )  # fmt: skip
            return self.add("NUMBER", text, span, 0)
        if not reading.has_digits:
            self.error(Code.EMPTY_NUMBER, f"the prefix `{text}` has no digits; its value is 0", span)
        if value == numbers.TOO_LARGE:
            self.error(Code.V023_LARGE_INTEGER, "HyperDbg v0.23 keeps the low 64 bits of this number", span)
            self.error(Code.INTEGER_TOO_LARGE, f"`{text}` does not fit in 64 bits", span)
            value = 0
        if text.startswith("0t"):
            self.error(Code.V023_OCTAL, "HyperDbg v0.23 knows the octal prefix `0o` only", span, f"write 0o{text[2:]}")
        return self.add("NUMBER", text, span, value)

    def floating(self, text: str, span: Span) -> int:
        """E006 for its form, E007 for its range."""
        match = _FLOAT.fullmatch(text)
        if match is None or not (match["whole"] or match["fraction"]):
            self.error(
                Code.BAD_FLOAT, f"`{text}` is no floating-point number", span,
                "decimal digits, a dot, decimal digits; no exponent, suffix or prefix",
            )  # fmt: skip
            return self.add("FLOAT", text, span, 0.0)
        whole, fraction = (match["whole"] or "").replace("`", ""), match["fraction"]
        value = float(f"{whole or '0'}.{fraction or '0'}")
        if value == float("inf") or (value == 0.0 and (whole + fraction).strip("0")):
            self.error(Code.FLOAT_OUT_OF_RANGE, f"`{text[:40]}` is out of the range of double", span)
            value = 0.0
        if len(whole) > 1 and whole[0] == "0":
            self.error(Code.V023_LEADING_ZERO, "HyperDbg v0.23 rejects a leading zero in a floating-point number", span)
        return self.add("FLOAT", text, span, value)

    # --- strings

    def string(self, text: str, span: Span) -> int:
        """A closed string literal."""
        wide = text.startswith("L")
        return self.add("STRING", text, span, self.units(text[2 if wide else 1 : -1], wide, span))

    def units(self, body: str, wide: bool, span: Span) -> StringValue:
        """The literal's units with their terminating zero."""
        out = bytearray()
        size, start = (2 if wide else 1), span.start + (2 if wide else 1)
        encoding = "utf-16-le" if wide else "utf-8"
        at = 0
        for match in ESCAPE.finditer(body):
            out += body[at : match.start()].encode(encoding, "surrogatepass")
            place = Span(self.source, start + match.start(), start + match.end())
            value, used = self.escape(match, 2 * size, place)
            out += (value & ((1 << (8 * size)) - 1)).to_bytes(size, "little")
            at = match.start() + used
        out += body[at:].encode(encoding, "surrogatepass")
        if wide and not body.isascii():
            self.error(Code.V023_WIDE, "HyperDbg v0.23 makes one unit of every UTF-8 byte of a wide literal", span)
        return StringValue(bytes(out) + bytes(size), wide)

    def escape(self, match: re.Match[str], most: int, place: Span) -> tuple[int, int]:
        """The unit of an escape and how many characters belong to it."""
        if match["hex"] is not None:
            digits = match["hex"][:most]
            if not digits:
                self.error(Code.BAD_ESCAPE, "`\\x` needs hexadecimal digits", place)
            elif len(match["hex"]) > len(digits):
                self.error(Code.V023_ESCAPE, "HyperDbg v0.23 rejects a hexadecimal digit behind `\\xHH`", place)
            return numbers.read(digits, numbers.HEXADECIMAL).value, 2 + len(digits)
        if match["octal"] is not None:
            self.error(Code.V023_ESCAPE, "HyperDbg v0.23 rejects octal escapes", place)
            return numbers.read(match["octal"], numbers.OCTAL).value, len(match[0])
        single = match["single"]
        if single not in _SINGLE:
            self.error(Code.BAD_ESCAPE, f"`\\{single}` is no escape", place, "write `\\\\` for a backslash")
        elif single not in _V023_SINGLE:
            self.error(Code.V023_ESCAPE, f"HyperDbg v0.23 rejects the escape `\\{single}`", place)
        return _SINGLE.get(single, 0), len(match[0])

    def open_string(self, text: str, span: Span) -> int:
        """E003: the rest of the file is taken for the string."""
        self.error(Code.OPEN_STRING, "this string is never closed", span, 'close it with `"`')
        return self.end

    def character(self, text: str, span: Span) -> int:
        """E012: there are no character constants."""
        inner = text.strip("'")
        if len(inner) == 1:
            hint = f'the number of the character is 0x{ord(inner):x}; a string has double quotes: "{inner}"'
            self.error(Code.CHARACTER_CONSTANT, "the language has no character constants", span, hint)
        else:
            shown = inner if len(inner) <= 40 else "..."
            self.error(Code.CHARACTER_CONSTANT, "strings have double quotes", span, f'write "{shown}"')
        return self.add("NUMBER", text, span, ord(inner[0]) if inner else 0)

    # --- directives and the rest

    def include(self, text: str, span: Span) -> int:
        """`#include "path"`: backslashes of the path are no escapes (language.md 14)."""
        match = INCLUDE_PATH.match(self.source.text, span.end, self.end)
        if match is None:
            self.error(Code.BAD_DIRECTIVE, "`#include` needs a path in double quotes", span, '#include "file.hds"')
            return self.add("INCLUDE", text, span, "")
        whole = Span(self.source, span.start, match.end())
        return self.add("INCLUDE", text, whole, match[1])

    def directive(self, text: str, span: Span) -> int:
        """E023: any other line with `#`."""
        self.error(
            Code.BAD_DIRECTIVE, f"`{text.split()[0][:40]}` is no directive", span, "the only directive is `#include`"
        )
        return span.end

    def other(self, text: str, span: Span) -> int:
        """E001; a run of such characters is reported once."""
        end = span.end
        while (
            end < self.end
            and (match := TOKEN_PATTERN.match(self.source.text, end, self.end))
            and match.lastgroup == "other"
        ):
            end = match.end()
        shown = self.source.text[span.start : end]
        self.error(Code.BAD_CHARACTER, f"`{shown[:20]}` begins no token", Span(self.source, span.start, end))
        return end


def _number_hint(text: str) -> str | None:
    if text[:2] in ("0X", "0N", "0Y", "0O", "0T"):
        return f"prefixes are lower case: {text[:2].lower()}{text[2:]}"
    if text[:2] not in numbers.SCRIPT.prefixes and text[-1] in "uUlL":
        return "numbers have no suffixes"
    return None


class LiteralPlaces:
    """Where the bytes of a narrow string literal stand in the source."""

    def __init__(self, node: Located) -> None:
        self._file, base, text = node.span.file, node.span.start, node.text
        self._places = array("I")  # of each byte, and of the closing quote
        at = 1
        for match in ESCAPE.finditer(text, 1, len(text) - 1):
            self._add(text, base, at, match.start())
            self._places.append(base + match.start())
            at = match.start() + 2 + len(match["hex"][:2]) if match["hex"] is not None else match.end()
        self._add(text, base, at, len(text) - 1)
        self._places.append(base + len(text) - 1)

    def _add(self, text: str, base: int, start: int, end: int) -> None:
        plain = text[start:end]
        if plain.isascii():
            self._places.extend(range(base + start, base + end))
            return
        for offset, char in enumerate(plain, base + start):
            self._places.extend([offset] * len(char.encode("utf-8", "surrogatepass")))

    def span(self, start: int, end: int) -> Span:
        """The characters that make the bytes [start, end) of the literal."""
        return Span(self._file, self._places[start], max(self._places[end], self._places[start] + 1))


def tokenize(source: SourceFile, diagnostics: Diagnostics, start: int = 0, end: int | None = None) -> list[Token]:
    """The tokens of [start, end) of a file. Never raises."""
    return Lexer(source, start, len(source.text) if end is None else end, diagnostics).run()
