"""What the parts of the checker share while they check one script.

The checker is made of parts that hold each other: `Checker` (statements and functions) has `Declarations`,
`Assignments` and `Expressions`; those have `Initialisers`, `BuiltinCalls` and the `TypeResolver`. What all of them read
and write is here.
"""

from __future__ import annotations

from lang import syntax as s, typed as t
from lang.code import Code
from lang.diagnostics import Diagnostics, Hint, Note
from lang.names import Scope, ScriptNames
from lang.node_types import NodeTypes
from lang.references import References
from lang.source import Span
from lang.symbols import SymbolTable
from lang.types import Type
from vm.facts.limits import Limits


class Context:
    """The names of a script, the scope that is checked just now, and what was found out so far.

    `types` has the type of every expression; `temporaries` are the variables of the statement that is checked.
    """

    def __init__(
        self,
        names: ScriptNames,
        symbols: SymbolTable,
        diagnostics: Diagnostics,
        limits: Limits,
        references: References,
        *,
        in_command: bool = False,
    ) -> None:
        self.names = names
        self.symbols = symbols
        self.diagnostics = diagnostics
        self.limits = limits
        self.references = references
        self.in_command = in_command
        self.scope = Scope()
        self.types = NodeTypes()
        self.temporaries: list[t.Variable] = []

    def report(self, code: Code, message: str, span: Span, hint: Hint = None) -> None:
        """Record a finding."""
        self.diagnostics.add(code, message, span, hint)

    def report_with_note(self, code: Code, message: str, span: Span, hint: str | None, note: str, place: Span) -> None:
        """Record a finding that has a second place."""
        self.diagnostics.add(code, message, span, hint, (Note(note, place),))

    def temporary(self, kind: Type) -> t.Variable:
        """A nameless variable that lives until the end of the statement."""
        variable = t.Variable("", kind)
        self.temporaries.append(variable)
        return variable

    def mark_assigned(self, node: s.Expression) -> None:
        """A local or global has a value from here on, in program text."""
        node = s.strip(node)
        if isinstance(node, s.Name):
            self.scope.assigned.add(node.name)
        elif isinstance(node, s.GlobalName):
            self.names.assigned.add(node.name)
