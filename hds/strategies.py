"""Hypothesis strategies: scripts, command files, expressions and bytecode, as `hds fuzz` generates them.

    @given(hds.strategies.scripts())
    def test_my_tool_takes_every_script(script: str) -> None: ...

They need the extra `fuzz`, and raise HypothesisMissing without it. What is drawn shrinks to short texts with small
numbers. Scripts and expressions compile, and seldom stop early in a world with memory at `MEMORY`, which they read and
write; elsewhere those reads are errors of the script. docs/python.md has an example.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hds.fuzzing import Choices, HypothesisMissing, command_file, expression, hostile_file, program, strategy_of

if TYPE_CHECKING:
    from hypothesis import strategies as st

__all__ = ["MEMORY", "HypothesisMissing", "bytecode", "command_files", "expressions", "scripts"]

MEMORY = range(0x1000_0000, 0x1000_1000)  # addresses that scripts take for mapped


def scripts(max_statements: int = 14) -> st.SearchStrategy[str]:
    """Scripts that compile: declarations, functions, loops, calls. Raises ValueError below 1 statement."""
    if max_statements < 1:
        raise ValueError("a script has at least one statement")

    def script(choices: Choices) -> str:
        return program(choices, max_statements)

    return strategy_of(script)


def expressions(max_depth: int = 3) -> st.SearchStrategy[str]:
    """Integer expressions of literals, registers, pseudo-registers, operators and built-ins."""

    def drawn(choices: Choices) -> str:
        return expression(choices, max_depth)

    return strategy_of(drawn)


def command_files() -> st.SearchStrategy[str]:
    """Texts of commands: events with all options, scripts, other commands; some are damaged."""
    return strategy_of(command_file)


def bytecode() -> st.SearchStrategy[bytes]:
    """Bytes of `.hdc` files, most of them damaged: a reader refuses them, or runs them within its limits."""
    return strategy_of(hostile_file)
