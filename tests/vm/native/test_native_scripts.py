"""Scripts that between them use every construct and built-in function, with the same outcome on both engines."""

from __future__ import annotations

from pathlib import Path

import pytest
from native_cases import BASE, PAGE, World, same, same_script, script

from vm.engine import FaultKind
from vm.facts.builtins import BUILTINS, Effect
from vm.facts.limits import DEFAULT_LIMITS, Limits
from vm.isa import INSTRUCTIONS, decode
from vm.semantics import BINARY, UNARY

WORLD = World(
    registers={"rax": 0x1122334455667788, "rcx": BASE, "rdx": BASE + 0x100, "rbx": BASE + 2 * PAGE - 4, "r8": 0},
    memory=b"first\0second\0w\0i\0d\0e\0\0\0".ljust(0x100, b"\x81") + bytes(range(256)),
    pseudo={"pid": 0x1234, "core": 1, "context": 0x55, "pname": BASE},
)

SCRIPTS = {path.stem: path.read_text() for path in sorted((Path(__file__).parent / "scripts").glob("*.hds"))}


@pytest.mark.parametrize("name", SCRIPTS)
def test_script(name: str) -> None:
    same_script(SCRIPTS[name], WORLD)


def test_the_scripts_use_every_instruction_that_is_no_scalar_one() -> None:
    used = {decode(word)[0].mnemonic for text in SCRIPTS.values() for word in script(text).code}
    others = {row.mnemonic for row in INSTRUCTIONS} - BINARY.keys() - UNARY.keys()
    assert others - used == {"LDH"}  # of which test_native_instructions takes care


def test_the_scripts_use_every_built_in_function_of_the_library() -> None:
    text = "".join(SCRIPTS.values())
    library = [row.name for row in BUILTINS if row.effect is Effect.LIBRARY and not row.name.endswith("_pa")]
    assert [name for name in library if f"{name}(" not in text] == []


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("print(1 / @r8);", FaultKind.DIVISION_BY_ZERO),
        ("long y1 = 0x8000000000000000; print(y1 / -1);", FaultKind.DIVISION_OVERFLOW),
        ("print(1 << @rax);", FaultKind.SHIFT_OUT_OF_RANGE),
        ("poi(0);", FaultKind.INVALID_ADDRESS),
        ("int v[2]; i = 2; v[i] = 0;", FaultKind.INDEX_OUT_OF_RANGE),
        ("double dv = 10.0; while (1) { dv = dv * dv; }", FaultKind.FLOAT_OVERFLOW),
        ("double dv = 2147483648.0; print((int)dv);", FaultKind.FLOAT_TO_INT_RANGE),
        ("memcpy(@rcx, @rcx, 0);", FaultKind.INVALID_ARGUMENT),
        ('printf("%5000d", 1);', FaultKind.MESSAGE_TOO_LONG),
        ("while (1) { }", FaultKind.STEP_LIMIT),
        ("void fn() { fn(); } fn();", FaultKind.STACK_OVERFLOW),
        ("spinlock_lock(&.lock1); spinlock_lock(&.lock1);", FaultKind.DEADLOCK),
        ("poi_pa(0);", FaultKind.UNSUPPORTED_HERE),
    ],
)
def test_fault(text: str, kind: FaultKind) -> None:
    fault = same_script(text, WORLD).result.fault
    assert fault is not None
    assert fault.kind is kind


RECURSION = (
    "int down(int n) { int v[5]; v[0] = n; if (n == 0) { return 0; } return down(n - 1) + v[0]; } print(down(0n40));"
)


def test_the_step_limit_strikes_at_the_same_block() -> None:
    program = script(
        "int sq(int n) { return n * n; } for (i = 0; i < 6; i++) { if (i & 1) { .s = .s + sq(i); } } print(.s);"
    )
    for limit in range(1, same(program).result.steps + 2):
        same(program, limits=Limits(max_steps=limit))


def test_the_depth_limit_strikes_at_the_same_call() -> None:
    program = script(RECURSION)
    for limit in range(1, 45):
        same(program, limits=Limits(max_call_depth=limit))


def test_the_stack_limit_strikes_at_the_same_call() -> None:
    program = script(RECURSION)
    for limit in range(8, 1200, 8):
        same(program, limits=Limits(max_stack_bytes=limit))


def test_the_bulk_limit_strikes_at_the_same_place() -> None:
    program = script("int v[0n40]; int w[4]; for (i = 0; i < 4; i++) { memcpy(&w, &v, 0x10); } print(strlen(@rcx));")
    for limit in [*range(1, 300, 7), 4000, 5000]:
        same(program, WORLD, limits=Limits(max_bulk_bytes=limit))


def test_recursion_at_the_default_depth() -> None:
    assert same_script("int fn(int n) { if (n == 0) { return 0; } return fn(n - 1) + 1; } print(fn(0n127));").result.ok
    fault = same_script(
        "int fn(int n) { if (n == 0) { return 0; } return fn(n - 1) + 1; } print(fn(0n128));"
    ).result.fault
    assert fault is not None
    assert fault.values == {"limit": DEFAULT_LIMITS.max_call_depth}
