"""Well-typed programs of the whole language, which end.

Loops count a variable that nothing else writes, functions call earlier functions only (or themselves with a smaller
first argument), and the work of calls inside loops is bounded, so that no program comes near `max_steps`.
"""

from __future__ import annotations

from hds.fuzzing.choices import Choices
from hds.fuzzing.expressions import Expressions, Function, Scope, is_float, is_integer
from hds.fuzzing.kinds import (
    FLOATS,
    INTEGERS,
    SCALARS,
    UNTYPED,
    ArrayOf,
    Kind,
    PointerTo,
    Scalar,
    StructOf,
    declared,
    number,
)  # fmt: skip
from hds.fuzzing.output import printf

MOST_WORK = 4000  # expression nodes that a run evaluates, about
DEPTH = 3
COMPOUND = ("+=", "-=", "*=", "&=", "|=", "^=", "<<=", ">>=", "/=", "%=")


def program(choices: Choices, statements: int = 14) -> str:
    """The text of a program."""
    return _Program(choices).text(statements)


class _Program:
    def __init__(self, choices: Choices) -> None:
        self.choices = choices
        self.structs: list[StructOf] = []
        self.lines: list[str] = []
        self.depth = 0  # of blocks
        self.names = 0
        self.globals: dict[str, Kind] = {}
        self.functions: list[Function] = []
        self.enter(Scope())

    def enter(self, scope: Scope) -> None:
        """Write for another scope from here on."""
        self.scope = scope
        self.expressions = Expressions(self.choices, scope, MOST_WORK)

    def text(self, statements: int) -> str:
        for _ in range(self.choices.below(3)):
            self.struct()
        for _ in range(self.choices.below(4)):
            self.global_variable()
        for _ in range(self.choices.below(4)):
            self.function()
        self.enter(Scope(dict(self.globals), functions=list(self.functions)))
        self.declarations(self.choices.below(6))
        self.statements(self.choices.between(1, statements))
        self.show_all()
        text = "\n".join(self.lines)
        way = self.choices.below(12)
        return f"? {{\n{text}\n}}" if way == 11 else f"{{\n{text}\n}}" if way == 10 else text + "\n"

    def line(self, text: str) -> None:
        self.lines.append("    " * self.depth + text)

    def fresh(self, stem: str) -> str:
        """A name that is none of the language's words, whatever its stem."""
        self.names += 1
        return f"{stem}_{self.names}q"

    # --- types

    def struct(self) -> None:
        """A struct of scalars, arrays, earlier structs and pointers."""
        tag = self.fresh("S")
        members: list[tuple[str, Kind]] = [
            (self.fresh("m"), self.member_kind()) for _ in range(self.choices.between(1, 4))
        ]
        if self.choices.chance(15):
            # The struct that it points to is this one; its members are not followed.
            members.append((self.fresh("next"), PointerTo(StructOf(f"struct {tag}", ()))))
        lines = "".join(f" {declared(kind, name)};" for name, kind in members)
        if self.choices.chance(20):
            alias = self.fresh("T")
            self.line(f"typedef struct {tag} {{{lines} }} {alias};")
            self.structs.append(StructOf(alias, tuple(members)))
            return
        self.line(f"struct {tag} {{{lines} }};")
        self.structs.append(StructOf(f"struct {tag}", tuple(members)))

    def either(self, scalars: tuple[Scalar, ...]) -> Kind:
        """A scalar or a struct."""
        rows: tuple[Kind, ...] = (*scalars, *self.structs)
        return self.choices.pick(rows)

    def member_kind(self) -> Kind:
        way = self.choices.below(10)
        if way == 9 and self.structs:
            return self.choices.pick(self.structs)
        if way == 8:
            return PointerTo(self.either(INTEGERS[:4]))
        if way == 7:
            return ArrayOf(self.choices.pick(SCALARS), self.counts(2))
        return self.choices.pick(SCALARS)

    def counts(self, dimensions: int) -> tuple[int, ...]:
        return tuple(self.choices.between(1, 4) for _ in range(self.choices.between(1, dimensions)))

    def kind(self) -> Kind:
        """The type of a new variable."""
        way = self.choices.below(20)
        if way < 11:
            return self.choices.pick(SCALARS)
        if way < 14:
            return ArrayOf(self.either(SCALARS), self.counts(3))
        if way < 16 and self.structs:
            return self.choices.pick(self.structs)
        if way < 18:
            return PointerTo(self.either(INTEGERS[:8]))
        if way == 18:
            return PointerTo(self.choices.pick(INTEGERS[:8]), guest=True)
        return UNTYPED

    # --- declarations

    def declarations(self, count: int) -> None:
        for _ in range(count):
            self.declaration()

    def global_variable(self) -> None:
        kind = self.kind()
        if isinstance(kind, PointerTo) and not kind.guest:
            kind = self.choices.pick(INTEGERS)
        self.declare("." + self.fresh("g"), kind)
        self.globals = {name: each for name, each in self.scope.variables.items() if name.startswith(".")}

    def declaration(self) -> None:
        """A new variable; seldom an old name with another type."""
        old = [name for name in self.scope.variables if name[0] != "." and name not in self.scope.frozen]
        if old and self.choices.chance(4):
            name = self.choices.pick(old)
            kind: Kind = self.choices.pick(SCALARS)
            # Until the declaration the name means the old variable, whose pointers stay good.
            value = self.expressions.value(kind, 1) if self.scope.variables[name] != kind else None
            if value is not None and name not in value:
                self.line(f"{declared(kind, name)} = {value};")
                self.scope.variables[name] = kind
            return
        kind = self.kind()
        stem = self.choices.pick(("v", "total", "dead", "Case"))
        self.declare(self.fresh(stem), kind)

    def declare(self, name: str, kind: Kind) -> None:
        """Declare a variable, with or without an initialiser."""
        if kind == UNTYPED:
            self.line(f"{name} = {self.expressions.integer(DEPTH)};")
            self.scope.variables[name] = kind
            return
        if self.choices.chance(12) and not isinstance(kind, PointerTo):
            self.line(f"{declared(kind, name)};")
        elif isinstance(kind, ArrayOf) or (isinstance(kind, StructOf) and self.choices.chance(70)):
            self.line(f"{declared(kind, name)} = {self.initialiser(kind)};")
        else:
            value = self.expressions.value(kind, DEPTH)
            if value is None and isinstance(kind, PointerTo):
                return
            self.line(f"{declared(kind, name)}{'' if value is None else f' = {value}'};")
        self.scope.variables[name] = kind

    def initialiser(self, kind: Kind) -> str:
        """A list for an array or struct: full or not, with inner braces or without."""
        elements = flattened(kind)
        count = self.choices.below(len(elements) + 1) if self.choices.chance(30) else len(elements)
        values = [self.expressions.value(element, 1) or "0" for element in elements[:count]]
        if len(values) > 2 and self.choices.chance(40):
            cut = self.choices.between(1, len(values) - 1)
            parts = ["{" + ", ".join(part) + "}" for part in (values[:cut], values[cut:])]
            return "{" + ", ".join(parts) + "}"
        comma = "," if values and self.choices.chance(10) else ""
        return "{" + ", ".join(values) + comma + "}"

    # --- functions

    def function(self) -> None:
        """A function: it sees the globals, its parameters, and the functions before it."""
        name = self.fresh("fn")
        parameters = tuple(self.parameter_kind() for _ in range(self.choices.below(4)))
        names = [self.fresh("p") for _ in parameters]
        result: Kind | None = self.choices.pick((*SCALARS, None, Scalar("int", 4)))
        scope = Scope(dict(self.globals), functions=list(self.functions))
        scope.variables |= dict(zip(names, parameters, strict=True))
        recursive = bool(parameters) and is_integer(parameters[0]) and self.choices.chance(35)
        if recursive:
            parameters = (Scalar("int", 4), *parameters[1:])
            scope.variables[names[0]] = parameters[0]
            scope.frozen.add(names[0])
        outer = self.scope
        self.enter(scope)
        written = [
            declared(kind, each) if kind != UNTYPED else each for kind, each in zip(parameters, names, strict=True)
        ]
        listed = ", ".join(written) or self.choices.pick(("", "void"))
        self.line(f"{declared(result, name) if result else 'void ' + name}({listed}) {{")
        self.depth += 1
        rounds = 1
        if recursive:
            rounds = 6
            ending = "return;" if result is None else f"return {self.expressions.value(result, 0)};"
            self.line(f"if ({names[0]} <= 0 || {names[0]} > 5) {{ {ending} }}")
        self.result: Kind | None = result
        self.in_function = True
        self.declarations(self.choices.below(3))
        self.statements(self.choices.between(0, 4))
        if recursive:
            self.recursion(name, names[0], parameters, result)
        if result is not None and not self.choices.chance(8):
            self.line(f"return {self.expressions.value(result, DEPTH) or '0'};")
        self.depth -= 1
        self.line("}")
        self.in_function = False
        self.functions.append(Function(name, result, parameters, (scope.work + 5) * rounds))
        self.enter(outer)

    in_function = False

    def recursion(self, name: str, counter: str, parameters: tuple[Kind, ...], result: Kind | None) -> None:
        """One call of the function by itself, with a smaller first argument."""
        others = [self.expressions.argument(kind, 1) for kind in parameters[1:]]
        if None in others:
            return
        call = f"{name}({', '.join([counter + ' - 1', *map(str, others)])})"
        place = self.expressions.place(is_integer, 0) if result is not None and is_integer(result) else None
        self.line(f"{place} = {call};" if place else f"{call};")

    def parameter_kind(self) -> Kind:
        way = self.choices.below(10)
        if way == 9:
            return UNTYPED
        if way >= 7:
            return PointerTo(self.either(INTEGERS[:4]))
        return self.choices.pick(SCALARS)

    # --- statements

    def statements(self, count: int) -> None:
        for _ in range(count):
            if self.scope.work > MOST_WORK:
                return
            self.statement()

    def statement(self) -> None:
        way = self.choices.weighted(
            ((18, self.assign), (9, self.compound), (4, self.step), (9, self.printf), (6, self.print),
             (6, self.write_memory), (8, self.branch), (9, self.loop), (6, self.declaration), (4, self.call),
             (3, self.chain), (2, self.block), (3, self.leave), (2, self.atomic), (3, self.assign_pointer),
             (2, self.curious), (3, self.selection))
        )  # fmt: skip
        if self.depth > 3 and way in (self.branch, self.loop, self.block, self.selection):
            way = self.assign
        way()

    def target(self) -> tuple[str, Kind] | None:
        """A scalar place and its kind, or a register."""
        if self.choices.chance(10):
            return self.choices.pick(
                ("@rax", "@ecx", "@dl", "@bh", "@r8h", "@r15w", "@zf", "@iopl", "@rip", "@fs")
            ), UNTYPED
        wanted = is_float if self.choices.chance(20) else is_integer
        place = self.expressions.place(wanted, 1)
        return None if place is None else (place, FLOATS[0] if wanted is is_float else INTEGERS[0])

    def assign(self) -> None:
        target = self.target()
        if target is None:
            name = self.fresh("x")
            self.line(f"{name} = {self.expressions.integer(DEPTH)};")
            self.scope.variables[name] = UNTYPED
        elif self.structs and self.choices.chance(10):
            self.copy_struct()
        else:
            self.line(f"{target[0]} = {self.expressions.value(target[1], DEPTH)};")

    def copy_struct(self) -> None:
        kind = self.choices.pick(self.structs)
        target = self.expressions.place(lambda other: other == kind, 1)
        source = self.expressions.place(lambda other: other == kind, 1)
        if target is not None:
            self.line(f"{target} = {source};")

    def assign_pointer(self) -> None:
        rows = [(name, kind) for name, kind in self.scope.variables.items() if isinstance(kind, PointerTo)]
        rows = [row for row in rows if not row[0].startswith(".") or row[1].guest]
        if not rows:
            return
        name, kind = self.choices.pick(rows)
        if kind.guest and self.choices.chance(60):
            self.line(
                f"{name} {self.choices.pick(('+= 1', '-= 2', '++', '--', '+= sizeof(int)'))};".replace(" ++", "++")
            )
            return
        value = self.expressions.pointer(kind, 1)
        if value is not None:
            self.line(f"{name} = {value};")

    def compound(self) -> None:
        target = self.target()
        if target is None:
            return
        place, kind = target
        if is_float(kind):
            self.line(f"{place} {self.choices.pick(COMPOUND[:3])} {self.expressions.floating(1)};")
            return
        operator = self.choices.pick(COMPOUND)
        value = self.expressions.integer(2)
        if operator in ("/=", "%="):
            value = f"({value}) | 1"
        elif operator in ("<<=", ">>="):
            value = f"({value}) & 7"
        self.line(f"{place} {operator} {value};")

    def step(self) -> None:
        target = self.target()
        if target is not None:
            operator = self.choices.pick(("++", "--"))
            # In front of `*p` the `++` of `(*p)` needs its parentheses, which places have.
            self.line(f"{operator}{target[0]};" if self.choices.chance(30) else f"{target[0]}{operator};")

    def chain(self) -> None:
        """Multiple assignment; integers among floating-point places would mostly stop the run."""
        wanted = is_float if self.choices.chance(20) else is_integer
        places = [place for _ in range(self.choices.between(2, 3)) if (place := self.expressions.place(wanted, 1))]
        if places:
            value = self.expressions.floating(1) if wanted is is_float else self.expressions.integer(2)
            self.line(f"{' = '.join(places)} = {value};")

    def print(self) -> None:
        way = self.choices.below(8)
        draw = self.expressions.floating if way == 7 else self.expressions.integer
        function = self.choices.pick(("formats", "test_statement")) if way == 6 else "print"
        self.line(f"{function}({draw(DEPTH)});")

    def printf(self) -> None:
        self.line(printf(self.choices, self.expressions))

    def write_memory(self) -> None:
        e = self.expressions
        way = self.choices.below(8)
        if way < 4:
            function = self.choices.pick(("eq", "ed", "eb"))
            self.line(f"{function}({e.guest_address(1)}, {e.integer(2)});")
        elif way < 6:
            size = self.choices.pick((1, 8, 0x11, 0x40, 3, 5, 0x20, 0x18, 7, 0))
            self.line(f"memcpy({e.guest_address(1)}, {e.guest_address(1)}, {number(size)});")
        elif way == 6:
            self.line(f"*({e.guest_address(1)}) = {e.integer(2)};")
        else:
            rows = [
                name for name, kind in self.scope.variables.items() if kind == UNTYPED and name not in self.scope.frozen
            ]
            if rows:
                name = self.choices.pick(rows)
                self.line(f"memcpy(&{name}, {e.guest_address(1)}, {number(self.choices.between(1, 8))});")

    def atomic(self) -> None:
        rows = [
            name for name, kind in self.scope.variables.items() if kind == UNTYPED and name not in self.scope.frozen
        ]
        if not rows:
            return
        name, e = self.choices.pick(rows), self.expressions
        call = self.choices.pick(
            (
                f"interlocked_exchange(&{name}, {e.integer(1)})", f"interlocked_exchange_add(&{name}, {e.integer(1)})",
                f"interlocked_compare_exchange(&{name}, {e.integer(1)}, {name})", f"interlocked_decrement(&{name})",
            )
        )  # fmt: skip
        lock = f"spinlock_unlock(&{name}); spinlock_lock(&{name});"
        self.line(lock if self.choices.chance(20) else f"print({call});")

    def call(self) -> None:
        made = self.expressions.call_of(1, lambda kind: True)
        if made is not None:
            self.line(f"{made};")

    def curious(self) -> None:
        """What is allowed and seldom written."""
        self.line(
            self.choices.pick(
                ("// a comment", "/* one *//**/;", ";", "{ }", "event_sc(1);", "flush();", "microsleep(5);",
                 "event_enable(3);", "event_inject(0, 3);", "print(rdtsc());", "event_trace_step();",
                 "print(lbr_check());",
                 "print(rdtscp());", "lbr_save();", "print(virtual_to_physical(0x1000));", "pause();",
                 "print(disassemble_len(0x10000000));", "event_inject_error_code(3, 0xe, 5);")
            )
        )  # fmt: skip

    def leave(self) -> None:
        """`break` and `continue` in loops, `return` in functions, each behind a condition."""
        words = ["break;", "continue;"] if self.scope.rounds > 1 and self.loops else []
        if self.in_function:
            words.append("return;" if self.result is None else f"return {self.expressions.value(self.result, 1)};")
        elif self.choices.chance(10):
            words.append("return;")
        if words:
            self.line(f"if ({self.expressions.condition(2)}) {{ {self.choices.pick(words)} }}")

    loops = 0

    def body(self, count: int) -> None:
        self.depth += 1
        self.statements(self.choices.between(1, count))
        self.depth -= 1

    def block(self) -> None:
        self.line("{")
        self.body(2)
        self.line("}")

    def branch(self) -> None:
        self.line(f"if ({self.expressions.condition(2)}) {{")
        self.body(3)
        for _ in range(self.choices.below(3)):
            self.line(f"}} {self.choices.pick(('elsif', 'else if'))} ({self.expressions.condition(2)}) {{")
            self.body(2)
        if self.choices.chance(50):
            self.line("} else {")
            self.body(2)
        self.line("}")

    def selection(self) -> None:
        """One value compared with one constant after the other, as often as makes a look-up of it, and less often."""
        value = self.choices.pick(("@rax", "@cl", "$context", ".chosen"))
        if self.choices.chance(60):
            value = self.fresh("x")
            self.line(f"{value} = {self.expressions.integer(1)} & 7;")
            self.scope.variables[value] = UNTYPED
        words = self.choices.pick((("if", "elsif"), ("if", "else if"), ("if", "if")))
        for each in range(self.choices.between(3, 8)):
            sides = [value, number(self.choices.below(8))]
            test = " == ".join(sides if self.choices.chance(80) else reversed(sides))
            if self.choices.chance(10):
                test += f" || {value} == {number(self.choices.below(8))}"
            self.line(f"{'' if words[1] == 'if' or not each else '} '}{words[bool(each)]} ({test}) {{")
            self.body(1)
            if words[1] == "if":
                self.line("}")
        if words[1] != "if":
            if self.choices.chance(50):
                self.line("} else {")
                self.body(1)
            self.line("}")

    def loop(self) -> None:
        """A loop of 1 to 5 rounds, counted by a variable that nothing else writes."""
        name, count = self.fresh("i"), self.choices.between(1, 5)
        self.scope.frozen.add(name)
        way = self.choices.below(5)
        self.loops += 1
        self.scope.rounds *= count
        if way < 2:
            self.scope.variables[name] = UNTYPED
            kind = self.choices.pick(("", "int ", "unsigned char "))
            step = self.choices.pick((f"{name}++", f"{name} += 1", f"++{name}"))
            self.line(f"for ({kind}{name} = 0; {name} < {number(count)}; {step}) {{")
            self.body(3)
            self.line("}")
        elif way == 2:
            self.line(f"for ({name} = {number(count)}; {name}; {name}--) {{")
            self.scope.variables[name] = UNTYPED
            self.body(3)
            self.line("}")
        else:
            self.line(f"{name} = 0;")
            self.scope.variables[name] = UNTYPED
            self.line(f"while ({name} < {number(count)}) {{" if way == 3 else "do {")
            self.depth += 1
            self.line(f"{name}++;")
            self.depth -= 1
            self.body(3)
            self.line("}" if way == 3 else f"}} while ({name} < {number(count)});")
        self.scope.rounds //= count
        self.loops -= 1

    def show_all(self) -> None:
        """At the end, what is in the variables."""
        for name, kind in self.scope.variables.items():
            if isinstance(kind, Scalar):
                self.line(f'printf("%f\\n", {name});' if kind.is_float else f"print({name});")
            elif isinstance(kind, ArrayOf) and isinstance(kind.element, Scalar):
                last = "".join(f"[{number(count - 1)}]" for count in kind.counts)
                self.line(f"print({name}{last});")


def flattened(kind: Kind) -> list[Kind]:
    """The base elements of an object, in storage order."""
    match kind:
        case ArrayOf():
            count = 1
            for each in kind.counts:
                count *= each
            return flattened(kind.element) * count
        case StructOf():
            return [element for _, member in kind.members for element in flattened(member)]
    return [kind]
