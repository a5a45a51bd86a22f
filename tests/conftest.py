"""What all tests share: the two engines, and one way to run a script on them."""

from __future__ import annotations

import gc
import os
import signal
import sys
from pathlib import Path

import pytest
from effort import NIGHTLY, often
from engines import HAS_MACHINE_CODE, make_engine
from hypothesis import settings
from language_world import Outcome, Run, example_host

from lang.compiler import Compiler
from lang.source import SourceFile
from vm.engine import Engine
from vm.script_memory import GlobalStore

# The compiler raises the limit for nested scripts; here at once, for Hypothesis warns of a change within a test.
sys.setrecursionlimit(7000)

# How long an example takes depends on the machine, which may be busy.
# The cases of `make test` are always the same: new ones are for `make fuzz` to find.
settings.register_profile("hds", deadline=None, max_examples=often(40, 400), derandomize=not NIGHTLY)
settings.load_profile("hds")

# Machine code is kept for the next tests, here and nowhere else.
os.environ["HDS_CACHE"] = str(Path(__file__).parents[1] / "build" / "code")

# Who starts tests in the background has them ignore these, and with them what they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# What is collected lives to the end: the collector of cycles need not walk it again and again.
gc.disable()


def pytest_collection_finish() -> None:
    """From here on only what a test makes is garbage."""
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the cases of the native engine, a parameter `engine` of a test, where no machine code can be made."""
    for item in items:
        values = getattr(item, "callspec", None)
        if not HAS_MACHINE_CODE and values is not None and values.params.get("engine") == "native":
            item.add_marker(pytest.mark.skip(reason="llvmlite is not installed"))


@pytest.fixture(scope="session", params=["reference", "native"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Every behaviour test runs on both engines."""
    return make_engine(request.param)


@pytest.fixture
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
