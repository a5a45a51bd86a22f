"""Where control can go: functions that reach their end (W003) and statements that are never reached (W004)."""

from __future__ import annotations

from collections.abc import Callable

from lang import syntax as s, typed as t
from lang.code import Code
from lang.source import Span

Report = Callable[[Code, str, Span], None]


def falls_through(statements: tuple[t.Statement, ...]) -> bool:
    """Whether execution can come out at the end of these statements."""
    return all(_passes(statement) for statement in statements)


def _passes(statement: t.Statement) -> bool:
    match statement:
        case t.Leave() | t.LeaveLoop() | t.NextRound():
            return False
        case t.Group():
            return falls_through(statement.statements)
        case t.Choose():
            bodies = [body for _, body in statement.branches]
            return not statement.otherwise or any(falls_through(body) for body in [*bodies, statement.otherwise])
        case t.Loop():
            condition = statement.condition
            endless = condition is None or (isinstance(condition, t.Constant) and condition.bits != 0)
            return not endless or _leaves(statement.body)
    return True


def _leaves(statements: tuple[t.Statement, ...]) -> bool:
    """Whether a `break` of this loop stands in its body."""
    for statement in statements:
        match statement:
            case t.LeaveLoop():
                return True
            case t.Group() if _leaves(statement.statements):
                return True
            case t.Choose() if any(_leaves(body) for _, body in statement.branches) or _leaves(statement.otherwise):
                return True
    return False


def report_unreachable(program: s.Program, report: Report) -> None:
    """W004 for the first statement behind a `return`, `break` or `continue`, in every block."""
    _behind_jump(program.items, report)
    for item in s.statements(program):
        match item:
            case s.Block():
                _behind_jump(item.statements, report)
            case s.Include() if item.program is not None:
                _behind_jump(item.program.items, report)


def _behind_jump(items: tuple[s.Statement, ...], report: Report) -> None:
    done = False
    for item in items:
        if done and not isinstance(item, s.FunctionDefinition | s.Empty):
            report(Code.UNREACHABLE, "this statement is never reached", item.span)
            done = False
        done = done or isinstance(item, s.Return | s.Break | s.Continue)
