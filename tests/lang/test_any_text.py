"""Laws of the compiler for every text: it answers, its places are in the text, its programs are well-formed."""

from __future__ import annotations

import pytest
from effort import often
from engines import need_machine_code
from hypothesis import given, settings
from language_world import example_host
from scripts import SCRIPTS, TEXTS

from lang.compiler import Compiler
from lang.diagnostics import Severity, render
from lang.source import SourceFile
from vm.facts.limits import Limits
from vm.interpreter import Interpreter
from vm.program import decode_program, encode_program
from vm.script_memory import GlobalStore
from vm.verifier import verify

# The compiler raises Python's recursion limit when it needs to, and Hypothesis notices.
pytestmark = [pytest.mark.filterwarnings("ignore:The recursion limit"), pytest.mark.slow]

SMALL = Limits(max_steps=2000, max_global_bytes=1 << 16)


@given(TEXTS)
def test_any_text_compiles_or_has_errors_in_it(text: str) -> None:
    made = Compiler().compile(SourceFile("test", text))
    assert made.ok != any(item.severity is Severity.ERROR for item in made.diagnostics)
    for item in made.diagnostics:
        assert 0 <= item.span.start <= item.span.end <= len(text)
        assert render(item)


@given(SCRIPTS)
def test_a_program_is_well_formed_and_survives_its_file_form(text: str) -> None:
    program = Compiler().compile(SourceFile("test", text)).program
    if program is not None:
        verify(program)
        assert decode_program(encode_program(program)) == program


@given(SCRIPTS)
def test_a_run_ends_within_its_limit(text: str) -> None:
    program = Compiler(SMALL).compile(SourceFile("test", text)).program
    if program is not None:
        engine = Interpreter(SMALL)
        result = engine.run(engine.load(program, GlobalStore(SMALL)), example_host())
        assert result.ok or result.fault is not None


@settings(max_examples=often(15, 100))
@given(SCRIPTS)
def test_both_engines_do_the_same(text: str) -> None:
    need_machine_code()
    from vm.native.engine import NativeEngine

    program = Compiler(SMALL, portability=False).compile(SourceFile("test", text)).program
    if program is None:
        return
    outcomes = []
    for engine in (Interpreter(SMALL), NativeEngine(SMALL)):
        host = example_host()
        result = engine.run(engine.load(program, GlobalStore(SMALL)), host)
        outcomes.append((result, host.messages, host.registers, host.pages))
    assert outcomes[0] == outcomes[1]
