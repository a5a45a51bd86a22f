"""Corners of the code generator that ordinary scripts do not reach."""

from __future__ import annotations

import pytest
from language_world import Run
from processor_time import least

from lang.assembly import Assembly, Label
from lang.compiler import Compiler
from lang.source import SourceFile, Span
from vm.isa import decode

pytestmark = pytest.mark.slow


def test_constants_beyond_the_pool_are_made_of_pieces(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lang.lowering.POOL", 0)
    outcome = run("print(0x123456789abcdef0); print(0xfedcba9876543210); print(12345678);")
    assert outcome.output == "123456789abcdef0\nfedcba9876543210\n12345678\n"
    assert outcome.program is not None
    assert "LDH" in {decode(word)[0].mnemonic for word in outcome.program.code}


def test_a_jump_that_is_too_far_hops_over_a_long_one() -> None:
    code = Assembly(span=Span(SourceFile("", ""), 0, 0))
    end = Label()
    code.emit("JZ", 0, to=end)
    for _ in range(40_000):
        code.emit("LDI", 0, 1)
    code.place(end)
    code.emit("RETV")
    words, spans = code.words()
    assert len(words) == len(spans) == 40_003
    assert [decode(word) for word in words[:2]] == [
        (decode(words[0])[0], (0, 1)),
        (decode(words[1])[0], (40_000,)),
    ]
    assert [decode(word)[0].mnemonic for word in words[:2]] == ["JNZ", "JMP"]


@pytest.mark.parametrize("count", [100, 400])
def test_more_variables_than_registers_are_fine(run: Run, count: int) -> None:
    names = [f"n{number}_" for number in range(count)]
    script = "".join(f"{name} = 0n{number};\n" for number, name in enumerate(names)) + f"print({' + '.join(names)});"
    assert run(script).output == f"{sum(range(count)):x}\n"


def test_a_long_chain_of_operators_is_no_deep_one(run: Run) -> None:
    assert run("print(" + " + ".join(["1"] * 5000) + ");").output == "1388\n"


def test_the_deepest_nesting_that_is_allowed_compiles(run: Run) -> None:
    assert run("print(" + "(" * 400 + "5" + ")" * 400 + ");").output == "5\n"
    deep = "if (1 == 1) { " * 100 + "print(7);" + " }" * 100
    assert run(deep).output == "7\n"
    assert "E121" in run("print(" + "-" * 3000 + "5);").codes or "E038" in run("print(" + "- " * 3000 + "5);").codes


@pytest.mark.lasting
def test_compiling_takes_time_in_proportion_to_the_length() -> None:
    import time

    def seconds(lines: int) -> float:
        text = "x = 1;\n" + "".join(f"x = x * 0x{n:x} + poi(10000000) % 3;\n" for n in range(1, lines))
        start = time.process_time()
        assert Compiler().compile(SourceFile("test", text)).ok
        return time.process_time() - start

    seconds(200)
    enough = 5 * seconds(800) + 0.1
    assert least(lambda: seconds(1600), enough) < enough
