"""The engine around the compiled code: caching, callbacks, exceptions, limits of what is compiled, the seams."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path

import pytest
from native_cases import main_program, same, script

from vm.engine import Loaded
from vm.facts.limits import Limits
from vm.facts.registers import STORAGE_INDEX
from vm.host import MemoryHost
from vm.native.activation import Prepared, Workspace
from vm.native.engine import NativeEngine
from vm.native.listing import emit
from vm.native.stack_bound import MAX_INSTRUCTIONS, fits_native
from vm.native.trigger import entry_point, prepare, registers_used
from vm.script_memory import GlobalStore
from vm.verifier import VerificationError

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]


def load(engine: NativeEngine, text: str, store: GlobalStore | None = None) -> Loaded:
    return engine.load(script(text), store or GlobalStore())


def test_the_same_content_is_compiled_once() -> None:
    first, second = (load(NativeEngine(Limits(max_steps=limit)), ".n = .n + 1;") for limit in (10, 20))
    assert isinstance(first.native, Prepared)
    assert isinstance(second.native, Prepared)
    assert first.native.code is second.native.code


def test_sessions_do_not_share_globals() -> None:
    engine, host, store = NativeEngine(), MemoryHost(), GlobalStore()
    for loaded in (
        load(engine, ".n = .n + 1;", store),
        load(engine, ".n = .n + 1;"),
        load(engine, ".n = .n + 1;", store),
    ):
        engine.run(loaded, host)
    assert store.read("n")[0] == 2


def test_globals_that_are_bound_later_are_in_reach() -> None:
    engine, host, store = NativeEngine(), MemoryHost(), GlobalStore()
    reader = load(engine, ".va = 1; print(poi(&.va + 1));", store)
    assert not engine.run(reader, host).ok
    engine.run(load(engine, ".vb = 5;", store), host)
    assert engine.run(reader, host).ok
    assert host.messages == [b"5\n"]


def test_locals_are_zero_in_every_run() -> None:
    engine, host = NativeEngine(), MemoryHost()
    loaded = load(engine, "int v[4]; print(v[2]); v[2] = 9;")
    engine.run(loaded, host)
    engine.run(loaded, host)
    assert host.messages == [b"0\n", b"0\n"]


def test_a_run_that_was_stopped_leaves_nothing_to_the_next() -> None:
    program = script("void deep(int n) { int v[0n16]; v[0] = n; deep(n + v[0]); } int w[4]; print(w[1]); deep(1);")
    for limits in (Limits(max_stack_bytes=4096), Limits(max_bulk_bytes=4096), Limits(max_call_depth=4)):
        engine, host = NativeEngine(limits), MemoryHost()
        loaded = engine.load(program, GlobalStore())
        results = [engine.run(loaded, host) for _ in range(3)]
        assert results[0].fault is not None
        assert results == results[:1] * 3


class Failing(MemoryHost):
    """A host that breaks."""

    def request(self, name: str, arguments: tuple[int, ...]) -> int:
        raise KeyboardInterrupt

    def read_memory(self, address: int, size: int) -> bytes | None:
        raise RuntimeError("no memory")


@pytest.mark.parametrize(
    ("text", "error"), [("print(1); rdtsc(); print(2);", KeyboardInterrupt), ("poi(0);", RuntimeError)]
)
def test_an_exception_of_the_host_comes_through(text: str, error: type[BaseException]) -> None:
    engine, host = NativeEngine(), Failing()
    loaded = load(engine, text)
    with pytest.raises(error):
        engine.run(loaded, host)
    assert host.messages in ([b"1\n"], [])
    assert engine.run(load(engine, "print(3);"), host).ok


class Nesting(MemoryHost):
    """A host that runs a script while one is running."""

    def __init__(self, engine: NativeEngine, inner: Loaded) -> None:
        super().__init__()
        self.engine = engine
        self.inner = inner

    def request(self, name: str, arguments: tuple[int, ...]) -> int:
        assert self.engine.run(self.inner, self).ok
        return 0


def test_a_run_within_a_run() -> None:
    engine = NativeEngine()
    inner = load(engine, "int v[4]; v[1] = 7; print(v[1]);")
    host = Nesting(engine, inner)
    assert engine.run(load(engine, "int v[4]; v[1] = 5; print(1); pause(); print(v[1]);"), host).ok
    assert host.messages == [b"1\n", b"7\n", b"5\n"]


def test_what_has_no_native_form_is_counted() -> None:
    engine = NativeEngine()
    engine.run(
        load(engine, 'print(rdtsc()); rdtsc(); printf("%s%s", "x", 0); .n = 1; interlocked_increment(&.n);'),
        MemoryHost(),
    )
    assert engine.callbacks == {"rdtsc": 2, "printf": 1}


def test_programs_are_verified() -> None:
    with pytest.raises(VerificationError):
        NativeEngine().load(main_program([("LDI", 0, 0)]), GlobalStore())


def test_a_program_that_is_too_large_runs_on_the_reference_engine() -> None:
    program = main_program([("LDI", 0, 1)] * MAX_INSTRUCTIONS + [("PRINT", 0), ("RETV",)])
    assert not fits_native(program, Limits())
    assert same(program).host.messages == [b"1\n"]
    assert entry_point(NativeEngine().load(program, GlobalStore())) == 0


def test_calls_that_would_need_too_much_stack_run_on_the_reference_engine() -> None:
    program = script("int down(int n) { if (n == 0) { return 0; } return down(n - 1) + 1; } print(down(0n900));")
    assert fits_native(program, Limits())
    deep = Limits(max_call_depth=100_000)
    assert not fits_native(program, deep)
    assert same(program, limits=deep).host.messages == [b"384\n"]
    assert fits_native(script("int one() { return 1; } print(one());"), deep)


def test_the_entry_point_runs_a_script_without_the_engine() -> None:
    engine, host = NativeEngine(), MemoryHost({"rax": 5})
    loaded = load(engine, ".n = .n + @rax; print(.n); if (.n == 0n15) { poi(0); }")
    activation = prepare(engine, loaded, host, Workspace(engine.limits))
    run = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p)(entry_point(loaded))
    assert [run(activation.address) for _ in range(3)] == [0, 0, 1]
    fault = activation.outcome(1).fault
    assert fault is not None
    assert fault.values == {"address": 0, "size": 8}
    activation.drain()
    assert host.messages == [b"5\n", b"a\n", b"f\n"]


def test_registers_used() -> None:
    used = registers_used(script("@rax = @rcx; @dl = 1;"))
    rax, rcx, rdx = (1 << STORAGE_INDEX[name] for name in ("rax", "rcx", "rdx"))
    assert (used.read, used.written) == (rcx | rdx, rax | rdx)


def test_listings() -> None:
    loaded = load(NativeEngine(), "int twice(int n) { return n + n; } print(twice(@rax));")
    llvm, assembly = emit(loaded, "llvm"), emit(loaded, "asm")
    assert "; 0: LDM" in llvm
    assert "@f1.twice(" in llvm
    assert "f1.twice:" in assembly
    assert "ret" in assembly


def test_importing_vm_does_not_import_llvmlite() -> None:
    code = "import sys, vm, vm.interpreter, vm.native; sys.exit('llvmlite' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_what_runs_often_is_compiled_once_more_and_does_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HDS_CACHE", "")  # what was compiled well before is used at once
    engine, host, store = NativeEngine(steps_that_pay=5000), MemoryHost(), GlobalStore()
    loaded = load(engine, "for (i = 0; i < 0n100; i++) { .worth_it = .worth_it + i; }", store)
    entries = []
    for _ in range(30):
        entries.append(entry_point(loaded))
        engine.run(loaded, host)
    assert entries[0] == entries[1] != entries[-1]
    assert int.from_bytes(store.read("worth_it"), "little") == 30 * 4950
