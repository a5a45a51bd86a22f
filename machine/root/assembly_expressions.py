"""Numbers, labels and operators of assembly text: what a value is, before anything is known of instructions.

Operators are those on which assemblers agree: `* / %` before `+ -`, signs and `~` before both, and parentheses.
`<< >> & | ^` have another precedence in each assembler and need parentheses beside others. Numbers have no end until
they are used; labels are added and subtracted only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from operator import and_, mul, or_, xor

import msgspec

from machine.root.assembly_tokens import AssemblerError, Token
from vm import late_pattern
from vm.facts.numbers import ASSEMBLY_BLOCK, ASSEMBLY_LISTING, DECIMAL, TOO_LARGE, number_in, read

_LONGEST_NUMBER = 100  # characters
_DIALECTS = {16: ASSEMBLY_BLOCK, 10: ASSEMBLY_LISTING}  # by the radix of numbers without a prefix
_DEEPEST = 64  # signs and parentheses around one number
_BITS = 64
# Those of AVX-512, AMX, MPX and APX, and control, debug and test registers that processors may have.
_UNKNOWN_REGISTER = late_pattern(
    r"(?:[xyzt]mm|cr|dr|db|tr)[0-9]{1,2}\Z|k[0-7]\Z|bnd[0-3]\Z|r[12][0-9][dwb]?\Z|r3[01][dwb]?\Z", re.I
)
_SIZE_HINT = "sizes are byte, word, dword, fword, qword, tbyte, xmmword and ymmword"
_SIGNS = ("+", "-")
_PRODUCTS = ("*", "/", "%")
_ALONE = ("<<", ">>", "&", "|", "^")
_PLAIN: Mapping[str, Callable[[int, int], int]] = {"*": mul, "&": and_, "|": or_, "^": xor}


class AssemblerWarning(msgspec.Struct, frozen=True):
    """A word of this length that the author may not have meant so."""

    message: str
    hint: str
    line: int
    column: int
    length: int

    def __str__(self) -> str:
        return f"{self.message}; {self.hint} (line {self.line}, column {self.column})"


class Expression(msgspec.Struct, frozen=True):
    """A constant plus labels, each added (1) or subtracted (-1). `$` is the label of the statement's own address."""

    constant: int = 0
    labels: tuple[tuple[str, int], ...] = ()

    def value(self, labels: Mapping[str, int], here: int) -> int:
        """The sum, in a statement at address `here`; every other label is in `labels`."""
        if not self.labels:
            return self.constant
        return self.constant + sum(sign * (here if name == "$" else labels[name]) for name, sign in self.labels)

    def negated(self) -> Expression:
        """The same with the other sign."""
        return Expression(-self.constant, tuple((name, -sign) for name, sign in self.labels))


class Sum:
    """Terms that are added up, in time that grows with their number."""

    def __init__(self) -> None:
        self._constant = 0
        self._labels: list[tuple[str, int]] = []

    def add(self, term: Expression, sign: int = 1) -> None:
        """One more term."""
        signed = term if sign > 0 else term.negated()
        self._constant += signed.constant
        self._labels += signed.labels

    def total(self) -> Expression:
        """All of them."""
        return Expression(self._constant, tuple(self._labels))


class ExpressionReader:
    """The tokens of one statement, read from left to right, as far as values are concerned."""

    def __init__(
        self,
        tokens: Sequence[Token],
        radix: int,
        labels: frozenset[str],
        warnings: list[AssemblerWarning],
    ) -> None:
        self._tokens = tokens
        self._dialect = _DIALECTS[radix]
        self._labels = labels
        self._warnings = warnings
        self._next = 0
        self._depth = 0

    def _more(self) -> bool:
        return self._next < len(self._tokens)

    def _take(self) -> Token:
        token = self._tokens[self._next]
        self._next += 1
        return token

    def _is_next(self, *kinds: str) -> bool:
        """Whether a token of one of these kinds follows."""
        return self._more() and self._tokens[self._next].kind in kinds

    def _expression(self) -> Expression:
        """Products joined by + and -, or values joined by one of the operators that stand alone."""
        value = self._value()
        if self._is_next(*_ALONE):
            kind = self._tokens[self._next].kind
            while self._is_next(kind):
                value = _combined(self._take(), value, self._value())
            self._refuse_operator(*_SIGNS, *_PRODUCTS, *_ALONE)
            return value
        total = Sum()
        total.add(self._product(value))
        while self._is_next(*_SIGNS):
            sign = 1 if self._take().kind == "+" else -1
            total.add(self._product(self._value()), sign)
        return total.total()

    def _product(self, value: Expression) -> Expression:
        """The value, and what it is multiplied with and divided by."""
        while self._is_next(*_PRODUCTS):
            value = _combined(self._take(), value, self._value())
        self._refuse_operator(*_ALONE)
        return value

    def _refuse_operator(self, *kinds: str) -> None:
        if self._is_next(*kinds):
            token = self._tokens[self._next]
            reason = f"assemblers do not agree on what `{token.text}` beside other operators means"
            raise token.position.error(reason, "write parentheses")

    def _value(self) -> Expression:
        """A number, a label or an expression in parentheses, perhaps with signs in front."""
        if not self._more():
            raise self._tokens[-1].position.error("a value was expected")
        token = self._take()
        if token.kind in (*_SIGNS, "~", "("):
            return self._nested(token)
        if token.kind == "string" and len(token.text) == 3:
            return Expression(ord(token.text[1]))
        if token.kind != "word":
            raise token.position.error(f"a value was expected, not {token.text!r}")
        if token.text in self._labels or token.text == "$":
            return Expression(0, ((token.text, 1),))
        return Expression(self._number(token))

    def _nested(self, opening: Token) -> Expression:
        """What stands behind a sign, or in parentheses."""
        if not self._more():
            raise opening.position.error(f"a value was expected after {opening.text!r}")
        if self._depth == _DEEPEST:
            raise opening.position.error(f"more than {_DEEPEST} signs and parentheses around one value")
        self._depth += 1
        inner = self._expression() if opening.kind == "(" else self._value()
        self._depth -= 1
        if opening.kind == "(":
            if not self._is_next(")"):
                raise opening.position.error("this '(' is not closed")
            self._take()
        if opening.kind == "~":
            return Expression(~_constant(opening, inner))
        return inner.negated() if opening.kind == "-" else inner

    def _number(self, token: Token) -> int:
        if len(token.text) > _LONGEST_NUMBER:
            raise token.position.error(f"a number of more than {_LONGEST_NUMBER} characters")
        reading = read(token.text, self._dialect)
        value = reading.value
        if not reading.is_number:
            raise self._unknown_word(token)
        if value == TOO_LARGE:
            raise token.position.error(f"{token.text} does not fit in {_BITS} bits")
        if self._dialect is ASSEMBLY_BLOCK and number_in(token.text.replace("`", ""), DECIMAL) not in (None, value):
            message, hint = f"{token.text} is hexadecimal here: {value:#x}", f"write 0n{token.text} for decimal"
            place = token.position
            self._warnings.append(AssemblerWarning(message, hint, place.line, place.column, len(token.text)))
        return value

    def _unknown_word(self, token: Token) -> AssemblerError:
        """What a word is that is no number."""
        if token.text[0].isdigit():
            return token.position.error(f"{token.text} is not a number", "0x is hexadecimal, 0n decimal, 0y binary")
        if _UNKNOWN_REGISTER.match(token.text):
            return token.position.error(f"the register {token.text} is not emulated")
        if self._is_next("word") and self._tokens[self._next].text.lower() == "ptr":
            return token.position.error(f"{token.text!r} is no size of an operand", _SIZE_HINT)
        return token.position.error(f"{token.text!r} is neither a label nor a register nor a number")


def _constant(place: Token, value: Expression) -> int:
    if value.labels:
        raise place.position.error(f"`{place.text}` takes no label", "labels are added and subtracted only")
    return value.constant


def _combined(operator: Token, left: Expression, right: Expression) -> Expression:
    """The value of a binary operator on constants. Raises AssemblerError."""
    first, second = _constant(operator, left), _constant(operator, right)
    if operator.kind in ("/", "%"):
        if first < 0 or second <= 0:
            raise operator.position.error(f"`{operator.text}` takes positive numbers")
        found = first // second if operator.kind == "/" else first % second
    elif operator.kind in ("<<", ">>"):
        if first < 0 or not 0 <= second < _BITS:
            raise operator.position.error(f"`{operator.text}` takes a positive number, and a count below {_BITS}")
        found = first << second if operator.kind == "<<" else first >> second
    else:
        found = _PLAIN[operator.kind](first, second)
    if not -(1 << _BITS) < found < 1 << _BITS:
        raise operator.position.error(f"the result of `{operator.text}` does not fit in {_BITS} bits")
    return Expression(found)
