"""Statements, functions and the run of a script (sections 5, 7, 8, 16)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

from lang import syntax as s
from vm.host import Host

from .arithmetic import Value, is_true
from .declarations import Declarations, Scope, Signature, flat
from .errors import Rejected, Stopped
from .expressions import Compute, Expressions, Frame, Operand, Place
from .memory import Memory, object_size
from .types import I64, Array, Integer, Pointer, Struct, Type, Void, base_elements

MAX_CALL_DEPTH = 128
MAX_ROUNDS = 500_000  # statements of one run; the language counts instructions, which an evaluator has none of
FRAMES_OF_PYTHON = 100_000  # 128 nested calls of deeply nested expressions


@dataclass(frozen=True)
class Returned:
    value: Value = 0


Signal = Returned | str | None  # what a statement did: returned, "break", "continue", or nothing special
Run = Callable[[Frame], Signal]


@dataclass(frozen=True)
class Result:
    """What came of a script: the code that rejects it, or the kind that stopped it, or neither."""

    rejected: str | None = None
    stopped: str | None = None


def evaluate(program: s.Program, host: Host, symbols: dict[str, int] | None = None) -> Result:
    """Run a syntax tree against a host, with fresh globals. Raises Unspecified."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, FRAMES_OF_PYTHON))
    try:
        return _evaluated(program, host, symbols or {})
    finally:
        sys.setrecursionlimit(before)


def _evaluated(program: s.Program, host: Host, symbols: dict[str, int]) -> Result:
    try:
        script = _Script(program, host, symbols)
    except Rejected as rejected:
        return Result(rejected=rejected.code)
    try:
        script.run()
    except Stopped as stopped:
        return Result(stopped=stopped.kind)
    return Result()


def rejection(program: s.Program, host: Host) -> str | None:
    """The code that rejects a syntax tree; None when it may run."""
    try:
        _Script(program, host, {})
    except Rejected as rejected:
        return rejected.code
    return None


class _Script:
    def __init__(self, program: s.Program, host: Host, symbols: dict[str, int]) -> None:
        self.memory = Memory(host)
        self.expressions = Expressions(self.memory, symbols)
        self.declarations = self.expressions.declarations = Declarations(self.constant)
        self.declarations.collect(program)
        self.expressions.call_function = self.call
        self.bodies: dict[str, tuple[Scope, Run]] = {}
        self.parameters: dict[str, list[int]] = {}
        self.depth = 0
        self.rounds = 0
        self.scope = Scope()
        self.main = self.sequence(program.items, self.scope, top=True)

    def constant(self, node: s.Expression) -> int | None:
        operand = self.expressions.translate(node, Scope())
        if not operand.constant or not isinstance(operand.kind, Integer):
            return None
        try:
            return int(operand.compute([]))
        except Stopped:
            return None

    # --- running

    def run(self) -> None:
        self.main(self.frame(self.scope))

    def frame(self, scope: Scope) -> Frame:
        return [self.memory.allocate(object_size(variable.kind)) for variable in scope.variables]

    def call(self, name: str, arguments: list[Value]) -> Value:
        self.count()
        if self.depth == MAX_CALL_DEPTH:
            raise Stopped("stack_overflow")
        scope, body = self.bodies[name]
        signature = self.declarations.functions[name]
        self.depth += 1
        bottom = self.memory.top
        frame = self.frame(scope)
        for index, (_, kind), value in zip(self.parameters[name], signature.parameters, arguments, strict=True):
            self.memory.store(frame[index], value, kind, slot=True)
        signal = body(frame)
        self.memory.release(bottom)
        self.depth -= 1
        return signal.value if isinstance(signal, Returned) else 0

    def count(self) -> None:
        self.rounds += 1
        if self.rounds > MAX_ROUNDS:
            raise Stopped("step_limit")

    # --- statements

    def sequence(self, items: tuple[s.Statement, ...], scope: Scope, top: bool = False, loop: bool = False) -> Run:
        runs = [self.statement(item, scope, top, loop) for item in items]

        def run(frame: Frame) -> Signal:
            for each in runs:
                self.count()
                signal = each(frame)
                if signal is not None:
                    return signal
            return None

        return run

    def statement(self, item: s.Statement, scope: Scope, top: bool, loop: bool) -> Run:
        match item:
            case s.Empty():
                return nothing
            case s.Block():
                return self.sequence(item.statements, scope, top, loop)
            case s.Simple():
                return self.simple(item.expression, scope)
            case s.Declaration():
                return self.declaration(item, scope)
            case s.Typedef():
                self.declarations.typedef(item)
                return nothing
            case s.If():
                return self.choice(item, scope, loop)
            case s.While():
                return self.loop(nothing, self.condition(item.condition, scope), self.body(item, scope), nothing)
            case s.DoWhile():
                body = self.body(item, scope)
                return self.loop(nothing, self.condition(item.condition, scope), body, nothing, test_first=False)
            case s.For():
                return self.for_loop(item, scope)
            case s.Break() | s.Continue():
                word = "break" if isinstance(item, s.Break) else "continue"
                if not loop:
                    raise Rejected("E034" if word == "break" else "E035")
                return lambda frame: word
            case s.Return():
                return self.returning(item, scope)
            case s.FunctionDefinition():
                if not top or scope.result is not None:
                    raise Rejected("E036")
                self.function(item)
                return nothing
            case s.Include():
                if not top:
                    raise Rejected("E022")
                return self.sequence(item.program.items if item.program else (), scope, top=True)
        raise AssertionError(item)

    def body(self, item: s.While | s.DoWhile | s.For, scope: Scope) -> Run:
        return self.sequence(item.body.statements, scope, loop=True)

    def condition(self, node: s.Expression | None, scope: Scope) -> Callable[[Frame], bool]:
        if node is None:
            raise Rejected("E040")
        operand = self.expressions.scalar(node, scope)
        return lambda frame: is_true(operand.compute(frame))

    def choice(self, item: s.If, scope: Scope, loop: bool) -> Run:
        branches = [
            (self.condition(branch.condition, scope), self.sequence(branch.body.statements, scope, loop=loop))
            for branch in item.branches
        ]
        otherwise = self.sequence(item.otherwise.statements, scope, loop=loop) if item.otherwise else nothing

        def run(frame: Frame) -> Signal:
            for condition, body in branches:
                if condition(frame):
                    return body(frame)
            return otherwise(frame)

        return run

    def for_loop(self, item: s.For, scope: Scope) -> Run:
        if isinstance(item.init, s.Declaration):
            init = self.declaration(item.init, scope)
        else:
            init = self.simple_list(item.init, scope)
        condition = self.condition(item.condition, scope) if item.condition else lambda frame: True
        step = self.simple_list(item.step, scope)
        return self.loop(init, condition, self.body(item, scope), step)

    def simple_list(self, nodes: tuple[s.Expression, ...], scope: Scope) -> Run:
        runs = [self.simple(node, scope) for node in nodes]

        def run(frame: Frame) -> Signal:
            for each in runs:
                each(frame)
            return None

        return run

    def loop(self, init: Run, condition: Callable[[Frame], bool], body: Run, step: Run, test_first: bool = True) -> Run:
        def run(frame: Frame) -> Signal:
            init(frame)
            if test_first and not condition(frame):
                return None
            while True:
                self.count()
                signal = body(frame)
                if isinstance(signal, Returned):
                    return signal
                if signal == "break":
                    return None
                step(frame)
                if not condition(frame):
                    return None

        return run

    def returning(self, item: s.Return, scope: Scope) -> Run:
        if item.value is None:
            if scope.result is not None and not isinstance(scope.result, Void):
                raise Rejected("E065")
            return lambda frame: Returned()
        if scope.result is None:
            raise Rejected("E066")
        if isinstance(scope.result, Void):
            raise Rejected("E064")
        compute = self.expressions.converted(self.expressions.translate(item.value, scope), scope.result)
        return lambda frame: Returned(compute(frame))

    def function(self, item: s.FunctionDefinition) -> None:
        # The types of the header are resolved again, so that tags are unknown before their definition.
        signature: Signature = self.declarations.functions[item.name]
        self.declarations.base(item.type)
        for parameter in item.parameters:
            if parameter.type is not None:
                self.declarations.base(parameter.type)
        scope = Scope(signature.result)
        for name, kind in signature.parameters:
            scope.declare(name, kind)
        self.parameters[item.name] = [scope.names[name].index for name, _ in signature.parameters]
        self.bodies[item.name] = scope, self.sequence(item.body.statements, scope)

    # --- assignments and declarations

    def simple(self, node: s.Expression, scope: Scope) -> Run:
        match node:
            case s.Assign(operator="="):
                return self.assignment([self.expressions.place(target, scope) for target in node.targets], node, scope)
            case s.Assign():
                if len(node.targets) != 1:
                    raise Rejected("E038")
                place = self.expressions.place(node.targets[0], scope)
                return self.compound(place, node.operator.removesuffix("="), node.value, scope)
            case s.Step():
                return self.compound(self.expressions.place(node.target, scope), node.operator[0], None, scope)
            case s.Call():
                operand = self.expressions.translate(node, scope)

                def run(frame: Frame) -> Signal:
                    operand.compute(frame)
                    return None

                return run
        raise Rejected("E042")

    def assignment(self, places: list[Place], node: s.Assign, scope: Scope) -> Run:
        return self.stores(places, self.expressions.translate(node.value, scope))

    def stores(self, places: list[Place], operand: Operand) -> Run:
        """`p1 = p2 = e`: the addresses from left to right, e, the stores from right to left, converting (7.2)."""
        steps = []
        kind = operand.kind
        for place in reversed(places):
            steps.append((place, self.expressions.conversion(kind, place.kind)))
            kind = place.kind

        def run(frame: Frame) -> Signal:
            where = [place.locate(frame) for place in places]
            value = operand.compute(frame)
            for (place, convert), located in zip(steps, reversed(where), strict=True):
                value = convert(value)
                self.expressions.store(place, located, value)
            return None

        return run

    def compound(self, place: Place, operator: str, node: s.Expression | None, scope: Scope) -> Run:
        """The address, the old value, e, the operation, the store (6.2); `++` adds the literal 1."""
        amount = self.expressions.scalar(node, scope) if node else Operand(I64, lambda frame: 1)
        if isinstance(place.kind, Struct):
            raise Rejected("E095")
        if isinstance(place.kind, Pointer) and operator not in ("+", "-"):
            raise Rejected("E091")
        kind, operation = self.expressions.operation(operator, place.kind, amount.kind)
        convert = self.expressions.conversion(kind, place.kind)

        def run(frame: Frame) -> Signal:
            where = place.locate(frame)
            old = self.expressions.load(place, where)
            self.expressions.store(place, where, convert(operation(old, amount.compute(frame))))
            return None

        return run

    def declaration(self, item: s.Declaration, scope: Scope) -> Run:
        self.declarations.announce(item)
        base = self.declarations.base(item.type)
        runs = [self.declarator(base, declarator, scope) for declarator in item.declarators]

        def run(frame: Frame) -> Signal:
            for each in runs:
                each(frame)
            return None

        return run

    def declarator(self, base: Type, declarator: s.Declarator, scope: Scope) -> Run:
        """A name means its new variable from its first mention on; an older meaning holds to the end of the line."""
        kind = self.declarations.declared(base, declarator)
        initialiser = declarator.initialiser
        if not declarator.is_global:
            if declarator.name in self.declarations.functions and scope.result is None:
                raise Rejected("E069")
            if declarator.name not in scope.names:
                scope.declare(declarator.name, kind)
        if isinstance(initialiser, s.InitialiserList):
            computes = self.list_values(kind, initialiser, scope)
            return self.filled(self.declared_place(declarator, kind, scope), computes)
        if initialiser is None:
            return self.cleared(self.declared_place(declarator, kind, scope))
        if isinstance(kind, Array):
            raise Rejected("E099")
        chain = []
        for target in declarator.chain:
            if isinstance(target, s.Name):
                scope.declare(target.name, base)
            chain.append(self.expressions.place(target, scope))
        operand = self.expressions.translate(initialiser, scope)
        return self.stores([self.declared_place(declarator, kind, scope), *chain], operand)

    def declared_place(self, declarator: s.Declarator, kind: Type, scope: Scope) -> Place:
        if declarator.is_global:
            return self.expressions.global_place(declarator.name)
        scope.declare(declarator.name, kind)
        return self.expressions.local_place(declarator.name, scope)

    def cleared(self, place: Place) -> Run:
        def run(frame: Frame) -> Signal:
            self.memory.store_bytes(place.locate(frame).address, bytes(object_size(place.kind)))
            return None

        return run

    def list_values(self, kind: Type, items: s.InitialiserList, scope: Scope) -> list[Compute]:
        """The values of a list, converted to the base elements that they fill (9.5)."""
        if not isinstance(kind, Array | Struct):
            raise Rejected("E099")
        nodes = list(flat(items))
        elements = list(base_elements(kind))
        if len(nodes) > len(elements):
            raise Rejected("E089")
        return [
            self.expressions.converted(self.expressions.translate(node, scope), element)
            for node, (_, element) in zip(nodes, elements, strict=False)
        ]

    def filled(self, place: Place, computes: list[Compute]) -> Run:
        """All values are computed before the object is changed; what is left is zero (9.5)."""

        def run(frame: Frame) -> Signal:
            values = [compute(frame) for compute in computes]
            address = place.locate(frame).address
            self.memory.store_bytes(address, bytes(place.kind.size))
            for value, (offset, kind) in zip(values, base_elements(place.kind), strict=False):
                self.memory.store(address + offset, value, kind, slot=False)
            return None

        return run


def nothing(frame: Frame) -> Signal:
    return None
