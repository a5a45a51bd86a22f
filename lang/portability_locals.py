"""Portability remarks on locals that are read before they have a value (P049): v0.23 does not set them to 0."""

from __future__ import annotations

from collections.abc import Iterable

from lang import syntax as s
from lang.code import Code
from lang.portability_context import Context
from lang.types import Array, Struct


class Assigned:
    """The names that are assigned for sure at a place of a function, in the order in which that became known."""

    def __init__(self, names: Iterable[str]) -> None:
        self._order = list(names)
        self._names = set(self._order)

    def __contains__(self, name: str) -> bool:
        return name in self._names

    @property
    def count(self) -> int:
        """How many names there are: the mark that `forget` goes back to."""
        return len(self._order)

    def add(self, names: set[str]) -> None:
        """These are assigned, too."""
        fresh = names - self._names
        self._order += fresh
        self._names |= fresh

    def forget(self, count: int) -> set[str]:
        """Go back to the first `count` names; what was known besides."""
        left = set(self._order[count:])
        del self._order[count:]
        self._names -= left
        return left


class LocalStarts:
    """Follows one function in the order of its statements."""

    def __init__(self, context: Context) -> None:
        self.context = context

    def check(self, items: tuple[s.Statement, ...], known: Assigned) -> None:
        """P049: locals that are read where they need not have been assigned; `known` gets those assigned for sure."""
        for item in items:
            match item:
                case s.Simple():
                    known.add(self._reads(item.expression, known))
                case s.Declaration():
                    self._declared(item, known)
                case s.If():
                    self._branches(item, known)
                case s.Block():
                    self.check(item.statements, known)
                case s.For():
                    if isinstance(item.init, s.Declaration):
                        known.add({declarator.name for declarator in item.init.declarators})
                    else:
                        for part in item.init:
                            known.add(self._reads(part, known))
                    self._loop(item, item.step, known)
                case s.While():
                    self._loop(item, (), known)
                case s.DoWhile():
                    self.check(item.body.statements, known)
                    if item.condition is not None:
                        self._reads(item.condition, known)
                case s.Return() if item.value is not None:
                    self._reads(item.value, known)

    def _declared(self, item: s.Declaration, known: Assigned) -> None:
        """A declared name is 0 at least."""
        for declarator in item.declarators:
            for part in s.values(declarator.initialiser):
                self._reads(part, known)
            known.add({declarator.name})

    def _loop(self, item: s.While | s.For, step: tuple[s.Expression, ...], known: Assigned) -> None:
        """A body that need not be carried out: what it assigns is not known behind it."""
        if item.condition is not None:
            self._reads(item.condition, known)
        before = known.count
        self.check(item.body.statements, known)
        for part in step:
            known.add(self._reads(part, known))
        known.forget(before)

    def _branches(self, item: s.If, known: Assigned) -> None:
        """What every branch of an `if` assigns."""
        outcomes: list[set[str]] = []
        before = known.count
        for branch in item.branches:
            if branch.condition is not None:
                self._reads(branch.condition, known)
            self.check(branch.body.statements, known)
            outcomes.append(known.forget(before))
        if item.otherwise is not None:
            self.check(item.otherwise.statements, known)
            known.add(set.intersection(*outcomes, known.forget(before)))

    def _reads(self, node: s.Expression, known: Assigned) -> set[str]:
        """Report names of an expression that are not known to be assigned; the names that it assigns."""
        written: set[str] = set()
        if isinstance(node, s.Assign):
            targets = node.targets
            written = {t.name for t in targets if isinstance(t, s.Name)}
            parts: list[s.Expression] = [node.value, *(t for t in targets if not isinstance(t, s.Name))]
            if node.operator != "=":
                parts += targets
        else:
            parts = [node]
        while parts:
            part = parts.pop()
            if isinstance(part, s.Unary) and part.operator == "&":
                inner = s.strip(part.operand)
                written |= {inner.name} if isinstance(inner, s.Name) else set()
                continue
            if isinstance(part, s.Name) and part.name not in written and part.name not in known:
                if part.name in self.context.functions or isinstance(self.context.type(part), Array | Struct):
                    continue
                self.context.remark(Code.V023_LOCAL_START, "does not set the locals of a function to 0", part.span)
            parts += s.operands(part)
        return written
