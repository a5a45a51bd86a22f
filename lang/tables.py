"""Grammar -> LALR tables, by Lark; run as `python -m lang.tables` after a change of a grammar (`make tables`).

Each `NAME.lark` has its tables in `NAME.json` beside it, a part of the package that `lang.lalr` reads.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lark
from lark.grammar import Rule
from lark.lexer import Lexer
from lark.parsers.lalr_analysis import Shift

HERE = Path(__file__).parent
GRAMMARS = (HERE / "script.lark", HERE / "commands" / "commands.lark")
START = "start"


class _NoLexer(Lexer):
    """The terminals are declared; Lark is not to build a lexer for them."""

    def __init__(self, conf: object) -> None:
        pass

    def lex(self, data: object) -> Iterator[lark.Token]:  # type: ignore[override]  # never called
        return iter(())


def made(grammar: Path) -> str:
    """The text of the tables of a grammar file: the same for the same grammar, one row a line."""
    text = grammar.read_text(encoding="utf-8")
    instance: Any = lark.Lark(text, parser="lalr", lexer=_NoLexer, keep_all_tokens=True, maybe_placeholders=False)
    table = instance.parser.parser.parser.parse_table
    numbers = {rule: number for number, rule in enumerate(instance.rules)}
    rules = [_rule(rule) for rule in instance.rules]
    order = _order(table.states, table.start_states[START])
    rows = [
        {
            name: order[argument] if action is Shift else -1 - numbers[argument]
            for name, (action, argument) in sorted(table.states[state].items())
        }
        for state in order
    ]
    return (
        f'{{"end": {order[table.end_states[START]]},\n"rules": [\n{_lines(rules)}\n],\n"rows": [\n{_lines(rows)}\n]}}\n'
    )


def _lines(rows: list[Any]) -> str:
    return ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows)


def _order(states: dict[int, dict[str, tuple[Any, Any]]], start: int) -> dict[int, int]:
    """Numbers of the states in the order in which they are reached from the start: independent of Lark's own."""
    order = {start: 0}
    for state in (reached := [start]):
        for _, (action, argument) in sorted(states[state].items()):
            if action is Shift and argument not in order:
                order[argument] = len(order)
                reached.append(argument)
    return order


def _rule(rule: Rule) -> list[Any]:
    """A row of `lang.lalr.Rule`. Raises ValueError for what the automaton has no form of."""
    origin, size = rule.origin.name, len(rule.expansion)
    spliced = [n for n, symbol in enumerate(rule.expansion) if not symbol.is_term and symbol.name.startswith("_")]
    chain = rule.options.expand1 and rule.alias is None
    if chain and (size != 1 or spliced):
        raise ValueError(f"a rule `?{origin}` needs a name behind `->` for more than one symbol")
    action = None if chain or origin.startswith("_") else rule.alias or origin
    return [origin, size, action, spliced, chain]


def main() -> None:
    """Write the tables of all grammars."""
    for grammar in GRAMMARS:
        grammar.with_suffix(".json").write_text(made(grammar), encoding="utf-8")


if __name__ == "__main__":
    main()
