"""hds.strategies: what is drawn is what it is said to be, and shrinks."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings

import hds.testing
from hds import strategies
from lang import Compiler, SourceFile
from vm import ProgramFormatError, VerificationError, decode_program, is_bundle

pytestmark = [pytest.mark.filterwarnings("error:The recursion limit")]
QUICK = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))


@QUICK
@given(strategies.scripts())
def test_scripts_compile(script: str) -> None:
    assert Compiler().compile(SourceFile("case.hds", script)).program is not None


@QUICK
@given(strategies.expressions())
def test_expressions_compile(expression: str) -> None:
    made = Compiler().compile(SourceFile("case.hds", expression), expression=True)
    assert made.program is not None, expression


@QUICK
@given(strategies.command_files())
def test_command_files_are_read(text: str) -> None:
    prepared = hds.Session().prepare(SourceFile("case.hds", text))
    assert all(item.span.end <= len(item.span.file.text) for item in prepared.diagnostics)


@QUICK
@given(strategies.bytecode())
def test_bytecode_is_refused_or_read(data: bytes) -> None:
    if is_bundle(data):
        return
    with suppress(ProgramFormatError, VerificationError):
        assert decode_program(data).functions


def test_what_is_drawn_shrinks() -> None:
    searching = settings(QUICK, phases=(Phase.generate, Phase.shrink))  # without explanations, which `find` never shows
    assert len(find(strategies.scripts(), lambda script: "print" in script, settings=searching)) < 40


def test_a_script_has_a_statement() -> None:
    with pytest.raises(ValueError, match="at least one statement"):
        strategies.scripts(max_statements=0)
