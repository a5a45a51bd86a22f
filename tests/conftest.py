"""What all tests share: the two engines, the world of the documentation's examples, and one way to run a script."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from lang.compiler import Compiler
from lang.source import SourceFile
from vm.engine import Engine
from vm.host import MemoryHost
from vm.interpreter import Interpreter
from vm.limits import DEFAULT_LIMITS, Limits
from vm.program import Program
from vm.script_memory import GlobalStore

# docs/language.md 1.2
REGISTERS = {
    "rax": 0x11, "rcx": 0x22, "rdx": 0x33, "rbx": 0x44, "rsp": 0x10000800, "rbp": 0x10000900, "rsi": 0x55, "rdi": 0x66,
    **{f"r{number}": number for number in range(8, 16)},
}  # fmt: skip
PAGE = (
    b"Hello, world".ljust(0x20, b"\0")
    + b"hyper".ljust(0x20, b"\0")
    + "Wide text".encode("utf-16-le").ljust(0x20, b"\0")
    + "zebra".encode("utf-16-le").ljust(0x20, b"\0")
    + b"".join(
        n.to_bytes(8, "little") for n in (0x1122334455667788, 0xFFFFFFFFFFFFFFFF, 0x8000000000000001, 0x10000000)
    )
)


def make_engine(name: str, limits: Limits = DEFAULT_LIMITS) -> Engine:
    """The engine of that name; the test is skipped where it cannot exist."""
    if name == "reference":
        return Interpreter(limits)
    pytest.importorskip("vm.native.engine", reason="llvmlite is not installed", exc_type=ImportError)
    from vm.native.engine import NativeEngine

    engine: Engine = NativeEngine(limits)
    return engine


@pytest.fixture(scope="session", params=["reference", "native"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Every behaviour test runs on both engines."""
    return make_engine(request.param)


@dataclass(frozen=True)
class Outcome:
    """What a script did: the codes found, its output, the kind of its run-time error, and the host afterwards."""

    codes: tuple[str, ...]
    program: Program | None
    output: str
    fault: str | None
    host: MemoryHost
    steps: int = 0


def example_host() -> MemoryHost:
    """The world before every example."""
    return MemoryHost.with_memory(REGISTERS, [(0x10000000, 0x1000, PAGE)])


Run = Callable[..., Outcome]


@pytest.fixture()
def run(engine: Engine) -> Run:
    """Compile and run a script in the world of the examples."""

    def run_script(script: str, name: str = "<script>") -> Outcome:
        made = Compiler().compile(SourceFile(name, script))
        host = example_host()
        codes = tuple(item.code for item in made.diagnostics)
        if made.program is None:
            return Outcome(codes, None, "", None, host)
        result = engine.run(engine.load(made.program, GlobalStore()), host)
        output = b"".join(host.messages).decode("utf-8", "replace")
        fault = result.fault.kind.value if result.fault else None
        return Outcome(codes, made.program, output, fault, host, result.steps)

    return run_script
