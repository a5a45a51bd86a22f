"""Expressions of generated programs: well-typed by construction, and seldom of a kind that stops the run.

Addresses of script objects never become numbers, because the language does not say what they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from hds.fuzzing.choices import Choices
from hds.fuzzing.kinds import FLOATS, INTEGERS, UNTYPED, ArrayOf, Kind, PointerTo, Scalar, StructOf, declared, number

PAGE = 0x1000_0000  # the mapped page of the world of all generated programs
TEXTS = (PAGE, PAGE + 0x20)
WIDE_TEXTS = (PAGE + 0x40, PAGE + 0x60)
INTERESTING = (
    0, 1, 2, 3, 7, 8, 0x10, 0x1F, 0x20, 0x3F, 0x40, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000,
    0xFFFF_FFFF, 0x1_0000_0000, 0x7FFF_FFFF_FFFF_FFFF, 0x8000_0000_0000_0000, 0xFFFF_FFFF_FFFF_FFFF,
    0x20_0000_0000_0001, 0x100_0001, 0xFFFF_FFFF_FFFF_FF80, 0xFFFF_FFFF_8000_0000,
)  # fmt: skip
SIZED: tuple[Kind, ...] = (*INTEGERS, *FLOATS, PointerTo(INTEGERS[0]))
FLOAT_LITERALS = (
    "0.5", "0.0", "1.5", "2.", ".25", "10.75", "0.1", "16777217.0", "3.40", "100000000000000000000.0",
    "340282346638528859811704183484516925440.0", "0.00000000000000000000000000000000000000000000140129846432481707",
)  # fmt: skip
REGISTERS = (
    "@rax", "@eax", "@ax", "@ah", "@al", "@r8", "@r9d", "@r10w", "@r11h", "@r12l", "@rbx", "@rsi", "@sil", "@rflags",
    "@cf", "@zf", "@iopl", "@if", "@cs", "@cr3", "@dr7", "@rip", "@eip", "@ip", "rcx", "edx", "dh", "bpl", "@flags",
    "@gdtr", "r15", "of", "@spl", "@r8h",
)  # fmt: skip
PSEUDO = ("$pid", "$tid", "$core", "$context", "$event_id", "$event_stage", "$ip")
STRINGS = ('"abc"', '"abd"', '""', '"hyper"', '"a\\tb\\\\"', '"\\x41\\x42"', '"Hello, world"', '"\\"q\\" %"', '"z\\0y"')
WIDE_STRINGS = ('L"zebra"', 'L"abc"', 'L""', 'L"Wide text"', 'L"w\\x263a"')


class Function(msgspec.Struct, frozen=True):
    """A function that may be called; `cost` bounds the work of a call."""

    name: str
    result: Kind | None
    parameters: tuple[Kind, ...]
    cost: int


class Scope(msgspec.Struct):
    """What an expression may mention. `frozen` names are loop counters: read only."""

    variables: dict[str, Kind] = msgspec.field(default_factory=dict)
    frozen: set[str] = msgspec.field(default_factory=set)
    functions: list[Function] = msgspec.field(default_factory=list)
    work: int = 0
    rounds: int = 1


def expression(choices: Choices, depth: int) -> str:
    """An integer expression that mentions no variables."""
    return Expressions(choices, Scope(), 0).integer(depth)


class Expressions:
    """Draws expressions for a scope."""

    def __init__(self, choices: Choices, scope: Scope, most_work: int) -> None:
        self.choices = choices
        self.scope = scope
        self.most_work = most_work

    # --- places

    def places(self, wanted: Callable[[Kind], bool], frozen: bool) -> Iterator[tuple[str, Kind]]:
        """The variables that hold something wanted, at any depth."""
        for name, kind in self.scope.variables.items():
            if (frozen or name not in self.scope.frozen) and holds(kind, wanted):
                yield name, kind

    def place(self, wanted: Callable[[Kind], bool], depth: int, *, frozen: bool = False) -> str | None:
        """A place of a wanted kind: a variable, an element, a member, what a pointer points to."""
        rows = list(self.places(wanted, frozen))
        if not rows:
            return None
        text, kind = self.choices.pick(rows)
        links = 1
        while not wanted(kind):
            links -= isinstance(kind, PointerTo)
            text, kind = self.descend(text, kind, wanted, depth, links)
        return text

    def descend(
        self, text: str, kind: Kind, wanted: Callable[[Kind], bool], depth: int, links: int
    ) -> tuple[str, Kind]:
        """One step towards something wanted; `links` pointers may still be followed."""
        match kind:
            case ArrayOf():
                index = "".join(f"[{self.index(count, depth)}]" for count in kind.counts)
                return text + index, kind.element
            case StructOf():
                name, member = self.member(kind, wanted, links)
                return f"{text}.{name}", member
            case PointerTo():
                return self.through(text, kind, wanted, links)
        raise AssertionError(f"{kind} holds nothing wanted")

    def member(self, kind: StructOf, wanted: Callable[[Kind], bool], links: int) -> tuple[str, Kind]:
        """A member on the way; pointer members are null most of the time, so they are seldom followed."""
        direct = [row for row in kind.members if holds(row[1], wanted, 0)]
        rows = [row for row in kind.members if holds(row[1], wanted, links)]
        return self.choices.pick(direct if direct and not self.choices.chance(10) else rows)

    def through(self, text: str, kind: PointerTo, wanted: Callable[[Kind], bool], links: int) -> tuple[str, Kind]:
        """What a pointer points to."""
        target = kind.target
        if isinstance(target, StructOf) and not wanted(target) and self.choices.chance(80):
            name, member = self.member(target, wanted, links)
            return f"{text}->{name}", member
        if self.choices.chance(30):
            return f"{text}[0]", target
        return f"(*{text})", target

    def index(self, count: int, depth: int) -> str:
        """An index that is nearly always inside."""
        way = self.choices.below(20)
        if way < 12 or depth <= 0:
            return number(self.choices.below(count))
        if way < 19:
            return f"(unsigned long)({self.integer(depth - 1)}) % {number(count)}"
        return self.integer(depth - 1)

    # --- numbers

    def literal(self) -> str:
        """An integer literal in any of its forms."""
        value = self.choices.pick(INTERESTING) if self.choices.chance(50) else self.choices.below(20)
        way = self.choices.below(8)
        if way == 1:
            return f"0n{value}"
        if way == 2 and value < 0x10000:
            return f"0y{value:b}"
        if way == 3:
            return f"0o{value:o}"
        if way == 4 and f"{value:x}"[0].isdigit():
            return f"{value:x}"
        if way == 5:
            return f"-{number(value)}"
        return number(value)

    def integer(self, depth: int) -> str:
        """An expression of some integer type."""
        self.scope.work += self.scope.rounds
        made = self.choices.weighted(_INTEGER_WAYS)(self, depth - 1) if depth > 0 else None
        return made if made is not None else self.leaf()

    def leaf(self, depth: int = 0) -> str:
        """A literal, a place, a register: what needs no operator."""
        way = self.choices.below(10)
        if way >= 4:
            place = self.place(is_integer, 0, frozen=True)
            if place is not None:
                return place
        if way == 3:
            return self.choices.pick(REGISTERS)
        if way == 2 and self.choices.chance(30):
            return self.choices.pick(PSEUDO)
        return self.literal()

    def arithmetic(self, depth: int) -> str | None:
        operator = self.choices.pick(("+", "-", "*", "&", "|", "^"))
        return f"({self.integer(depth)} {operator} {self.integer(depth)})"

    def bare_chain(self, depth: int) -> str | None:
        """Operators of several priorities without parentheses."""
        parts = [self.leaf()]
        for _ in range(self.choices.between(2, 4)):
            parts += [
                self.choices.pick(("+", "*", "-", "&", "|", "^", "==", "<", "&&", "||", ">=")),
                self.leaf(),
            ]
        return "(" + " ".join(parts) + ")"

    def division(self, depth: int) -> str | None:
        divisor = self.integer(depth)
        guarded = divisor if self.choices.chance(6) else f"({divisor} | 1)"
        return f"({self.integer(depth)} {self.choices.pick(('/', '%'))} {guarded})"

    def shift(self, depth: int) -> str | None:
        count = self.integer(depth)
        guarded = count if self.choices.chance(4) else f"({count} & {number(self.choices.pick((0x1F, 7, 3)))})"
        return f"({self.integer(depth)} {self.choices.pick(('<<', '>>'))} {guarded})"

    def sign(self, depth: int) -> str | None:
        way = self.choices.pick(("-{}", "~{}", "!{}", "+{}", "- -{}", "neg({})", "not({})", "-~{}", "!!{}"))
        return way.format(f"({self.integer(depth)})")

    def cast(self, depth: int) -> str | None:
        kind = self.choices.pick(INTEGERS)
        if self.choices.chance(12):
            scale = "" if self.choices.chance(10) else " / 100000000000000000000.0"
            return f"({kind.spelling})({self.floating(depth)}{scale})"
        return f"({kind.spelling})({self.integer(depth)})"

    def comparison(self, depth: int) -> str | None:
        operator = self.choices.pick(("==", "!=", "<", ">", "<=", ">="))
        draw = self.floating if self.choices.chance(20) else self.integer
        return f"({draw(depth)} {operator} {self.integer(depth)})"

    def logic(self, depth: int) -> str | None:
        return f"({self.condition(depth)} {self.choices.pick(('&&', '||'))} {self.condition(depth)})"

    def size(self, depth: int) -> str | None:
        if self.choices.chance(50):
            kind = self.choices.pick(SIZED)
            return f"sizeof({declared(kind, '').strip()})"
        names = list(self.scope.variables)
        return f"sizeof({self.choices.pick(names)})" if names else f"sizeof({self.integer(depth)})"

    def guest_read(self, depth: int) -> str | None:
        function = self.choices.pick(("poi", "dq", "dd", "dw", "db", "hi", "low"))
        return f"{function}({self.guest_address(depth)})"

    def own_read(self, depth: int) -> str | None:
        """A read of a variable's slot through its address; a global stands for every kind of storage."""
        names = [name for name, kind in self.scope.variables.items() if isinstance(kind, Scalar)]
        function = self.choices.pick(("poi", "dd", "dw", "db", "hi", "low", "*", "interlocked_increment"))
        if function.startswith("i"):
            names = [name for name in names if name not in self.scope.frozen]
        elif function == "*":
            names = [name for name in names if is_integer(self.scope.variables[name])]
        if not names:
            return None
        name = self.choices.pick(names)
        return f"*&{name}" if function == "*" else f"{function}(&{name})"

    def text_function(self, depth: int) -> str | None:
        text, wide = self.text(), self.wide_text()
        return self.choices.pick(
            (
                f"strlen({text})", f"strcmp({text}, {self.text()})",
                f"strncmp({text}, {self.text()}, {self.literal()})",
                f"wcslen({wide})", f"wcscmp({wide}, {self.wide_text()})", f"wcsncmp({wide}, {self.wide_text()}, 3)",
                f"memcmp({text}, {number(self.choices.pick(TEXTS))}, {number(self.choices.below(3))})",
                f"check_address({self.integer(depth)})", f"{self.choices.pick(STRINGS)}[0]",
                f"*{self.choices.pick(STRINGS)}",
            )
        )  # fmt: skip

    def call(self, depth: int) -> str | None:
        return self.call_of(depth, lambda kind: isinstance(kind, Scalar) and not kind.is_float)

    def pointer_number(self, depth: int) -> str | None:
        """What may be known of pointers: differences inside an array, equality, and truth."""
        arrays = [(name, kind) for name, kind in self.scope.variables.items() if isinstance(kind, ArrayOf)]
        if arrays and self.choices.chance(60):
            name, kind = self.choices.pick(arrays)
            first, second = (
                f"&{name}" + "".join(f"[{number(self.choices.below(count))}]" for count in kind.counts)
                for _ in range(2)
            )
            return f"({first} {self.choices.pick(('-', '==', '<', '!='))} {second})"
        pointers = [name for name, kind in self.scope.variables.items() if isinstance(kind, PointerTo)]
        return f"({self.choices.pick(pointers)} != 0)" if pointers else None

    def guest_address(self, depth: int) -> str:
        """An address of the mapped page; seldom any other."""
        way = self.choices.below(60)
        if way < 40:
            return number(PAGE + 8 * self.choices.below(0x40))
        if way < 59:
            return f"({number(PAGE)} + (({self.integer(depth - 1)}) & 0xff8))"
        return number(self.choices.pick((PAGE + 0xFFC, 0, 0x1000, PAGE + 0x1000, 0xFFFF_FFFF_FFFF_FFFC)))

    # --- other kinds

    def floating(self, depth: int) -> str:
        """An expression of type float or double."""
        self.scope.work += self.scope.rounds
        way = self.choices.below(12) if depth > 0 else self.choices.below(4)
        if way >= 2 and way < 6:
            place = self.place(is_float, 0)
            if place is not None:
                return place
        if way < 6:
            return self.choices.pick(FLOAT_LITERALS)
        if way < 9:
            right = self.integer(depth - 1) if self.choices.chance(30) else self.floating(depth - 1)
            return f"({self.floating(depth - 1)} {self.choices.pick(('+', '-', '*', '+', '*', '/'))} {right})"
        if way == 9:
            return f"({self.choices.pick(FLOATS).spelling})({self.integer(depth - 1)})"
        if way == 10:
            return f"{self.choices.pick(('-', '+', '(float)'))}({self.floating(depth - 1)})"
        made = self.call_of(depth - 1, lambda kind: isinstance(kind, Scalar) and kind.is_float)
        return made or self.choices.pick(FLOAT_LITERALS)

    def condition(self, depth: int) -> str:
        """Anything that may stand between the parentheses of `if`."""
        way = self.choices.below(10)
        if way < 5:
            return self.comparison(depth - 1) or "1"
        if way < 7 and depth > 0:
            return self.logic(depth - 1) or "1"
        return self.floating(depth - 1) if way == 9 else self.integer(depth)

    def value(self, kind: Kind, depth: int) -> str | None:
        """An expression that can be assigned to a kind; None if there is none."""
        match kind:
            case Scalar():
                draw = self.floating if self.choices.chance(70 if kind.is_float else 6) else self.integer
                made = draw(depth)
                # A conversion to a narrow integer would nearly always stop the run.
                return made if draw == self.integer or kind.is_float else f"{made} / 100000000000000000000.0"
            case PointerTo():
                return self.pointer(kind, depth)
            case StructOf():
                return self.place(lambda other: other == kind, depth)
        return None

    def pointer(self, kind: PointerTo, depth: int) -> str | None:
        """An address of something that lives as long as the pointer."""
        if kind.guest:
            offset = 8 * self.choices.below(0x80)
            return f"({declared(PointerTo(kind.target), '').strip()}){number(PAGE + offset)}"
        rows: list[str] = []
        for name, other in self.scope.variables.items():
            if name in self.scope.frozen or (name.startswith(".") and self.choices.chance(30)):
                continue
            if other == kind.target:
                rows.append(f"&{name}")
            elif isinstance(other, ArrayOf) and other.element == kind.target:
                rows.append(f"&{name}" + "".join(f"[{number(self.choices.below(count))}]" for count in other.counts))
                rows.append(name)
            elif other == kind:
                rows.append(name)
            elif isinstance(other, StructOf):
                rows += [f"&{name}.{member}" for member, inner in other.members if inner == kind.target]
        return self.choices.pick(rows) if rows else None

    def text(self) -> str:
        """What `%s` and the string functions take."""
        if self.choices.chance(3):
            return "0"
        return number(self.choices.pick(TEXTS)) if self.choices.chance(30) else self.choices.pick(STRINGS)

    def wide_text(self) -> str:
        """What `%ws` and the wide string functions take."""
        return number(self.choices.pick(WIDE_TEXTS)) if self.choices.chance(30) else self.choices.pick(WIDE_STRINGS)

    def call_of(self, depth: int, wanted: Callable[[Kind | None], bool]) -> str | None:
        """A call of a function whose result is wanted, if the work it does is not too much here."""
        rows = [
            function
            for function in self.scope.functions
            if wanted(function.result) and self.scope.work + function.cost * self.scope.rounds < self.most_work
        ]
        if not rows:
            return None
        function = self.choices.pick(rows)
        self.scope.work += function.cost * self.scope.rounds
        arguments = [self.argument(kind, depth) for kind in function.parameters]
        return None if None in arguments else f"{function.name}({', '.join(map(str, arguments))})"

    def argument(self, kind: Kind, depth: int) -> str | None:
        return self.value(kind, min(depth, 1))


def is_integer(kind: Kind) -> bool:
    """Whether it is an integer type."""
    return isinstance(kind, Scalar) and not kind.is_float


def is_float(kind: Kind) -> bool:
    """Whether it is a floating-point type."""
    return isinstance(kind, Scalar) and kind.is_float


def holds(kind: Kind, wanted: Callable[[Kind], bool], links: int = 1) -> bool:
    """Whether something wanted can be reached from an object of this kind."""
    if wanted(kind):
        return True
    match kind:
        case ArrayOf():
            return holds(kind.element, wanted, links)
        case StructOf():
            return any(holds(member, wanted, links) for _, member in kind.members)
        case PointerTo():
            return links > 0 and holds(kind.target, wanted, links - 1)
    return False


_Way = Callable[[Expressions, int], str | None]
_INTEGER_WAYS: tuple[tuple[int, _Way], ...] = (
    (12, Expressions.leaf),
    (18, Expressions.arithmetic), (5, Expressions.bare_chain), (6, Expressions.division), (6, Expressions.shift),
    (7, Expressions.sign), (8, Expressions.cast), (6, Expressions.comparison), (4, Expressions.logic),
    (3, Expressions.size), (5, Expressions.guest_read), (5, Expressions.own_read), (4, Expressions.text_function),
    (8, Expressions.call), (3, Expressions.pointer_number),
)  # fmt: skip

__all__ = ["UNTYPED", "Expressions", "Function", "Scope", "is_float", "is_integer"]
