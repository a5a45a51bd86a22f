"""Atomic functions and locks: the reference engine's results at every address, and cores that run at the same time."""

from __future__ import annotations

import threading
import time

import pytest
from direct_guest import BOTH, RAX, Guest, run
from native_cases import script

from vm.engine import FaultKind, Loaded, RunResult
from vm.facts.limits import Limits
from vm.host import MemoryHost
from vm.native.access import READABLE
from vm.native.activation import Prepared, Workspace
from vm.native.engine import NativeEngine
from vm.native.trigger import prepare
from vm.script_memory import GlobalStore
from vm.sharing import Sharing

CALLS = (
    "interlocked_increment(@rax)", "interlocked_decrement(@rax)", "interlocked_exchange(@rax, 7)",
    "interlocked_exchange_add(@rax, -3)", "interlocked_compare_exchange(@rax, 9, 0)",
    "interlocked_compare_exchange(@rax, 9, 1)",
)  # fmt: skip
LOCKS = ("spinlock_lock(@rax)", "spinlock_lock_custom_wait(@rax, 5)", "spinlock_unlock(@rax)")
LAYOUT = ((0x1000, 0x1000, BOTH), (0x2000, 0x1000, BOTH), (0x4000, 0x1000, READABLE))
# Aligned, misaligned, across two regions, at the end of what is mapped, read-only in place, nowhere, read-only.
ADDRESSES = (0x1000, 0x1FF8, 0x1FFC, 0x1001, 0x1FFD, 0x2FFC, 0x2FFD, 0x4000, 0, 0x3000, 2**61, 2**64 - 8)


@pytest.mark.slow
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("address", ADDRESSES)
def test_atomic_functions_at_every_kind_of_address(call: str, address: int) -> None:
    guest = Guest(LAYOUT)
    guest.direct.registers[RAX] = address
    run(f'x = "text"; print(1); print({call}); print({call});', guest)


@pytest.mark.slow
@pytest.mark.parametrize("call", LOCKS)
@pytest.mark.parametrize("held", [0, 1, 0x100])
@pytest.mark.parametrize("address", ADDRESSES)
def test_locks_at_every_kind_of_address(call: str, held: int, address: int) -> None:
    guest = Guest(LAYOUT)
    guest.direct.registers[RAX] = address
    run(f'x = "text"; ed(@rax, {held}); print(1); {call}; print(2); print(dd(@rax)); {call};', guest)


def test_cells_at_hand_need_no_python() -> None:
    guest = Guest(LAYOUT)
    guest.direct.registers[RAX] = 0x1001  # misaligned cells too
    run("".join(f"{call}; " for call in CALLS) + "ed(@rax, 0); spinlock_lock(@rax); spinlock_unlock(@rax);", guest)
    assert guest.asked == []


@pytest.mark.parametrize(
    ("call", "asked"),
    [
        ("interlocked_increment(@rax)", "interlocked_exchange_add"),
        ("interlocked_exchange(@rax, 7)", "interlocked_exchange"),
        ("interlocked_compare_exchange(@rax, 9, 0)", "interlocked_compare_exchange"),
        ("spinlock_lock(@rax)", "spinlock_lock"),
        ("spinlock_unlock(@rax)", "spinlock_unlock"),
    ],
)
@pytest.mark.parametrize("address", [0x1FFD, 0x4000, 0x5000])
def test_what_is_done_with_a_cell_that_is_not_at_hand_is_one_step_of_python(
    call: str, asked: str, address: int
) -> None:
    guest = Guest((*LAYOUT, (0x5000, 0x1000, 0)))
    guest.direct.registers[RAX] = address
    assert run(f"{call};", guest) is None
    assert guest.callbacks == {asked: 1}


# --- cores at the same time -------------------------------------------------------------------------------------------

PATIENT = 1 << 40


class Cores:
    """Scripts of one session, each on a core of its own: a thread that has an activation."""

    def __init__(self, lock_tries: int) -> None:
        self.engine = NativeEngine(Limits(max_steps=1 << 40))
        self.engine.sharing = Sharing(lock_tries=lock_tries)
        self.store = GlobalStore()

    def start(self, text: str) -> Core:
        loaded = self.engine.load(script(text), self.store)
        core = Core(self.engine, loaded)
        core.start()
        return core

    def value(self, name: str) -> int:
        return int.from_bytes(self.store.read(name), "little")

    def set(self, name: str, value: int) -> None:
        self.engine.run(self.engine.load(script(f".{name} = {value};"), self.store), MemoryHost())


class Core(threading.Thread):
    """One core; `result` is there when it has ended."""

    def __init__(self, engine: NativeEngine, loaded: Loaded) -> None:
        super().__init__(daemon=True)
        self._activation = prepare(engine, loaded, MemoryHost(), Workspace(engine.limits))
        assert isinstance(loaded.native, Prepared)
        self._code = loaded.native.code
        self.result: RunResult | None = None

    def run(self) -> None:
        self.result = self._activation.outcome(self._code.run(self._activation.address))

    def ended(self) -> RunResult:
        self.join(60)
        assert self.result is not None
        return self.result


@pytest.mark.parametrize(
    "change",
    [
        "interlocked_increment(&.n);",
        "interlocked_exchange_add(&.n, 1);",
        "interlocked_exchange_add(&.n, 2); interlocked_decrement(&.n);",
        "o = .n; while (interlocked_compare_exchange(&.n, o + 1, o) != o) { o = .n; }",
        "spinlock_lock(&.k); .n = .n + 1; spinlock_unlock(&.k);",
    ],
)
def test_no_change_of_two_cores_is_lost(change: str) -> None:
    cores, count = Cores(PATIENT), 1_000_000
    cores.set("k", 0)
    cores.set("n", 0)
    running = [cores.start(f"for (i = 0; i < 0n{count}; i++) {{ {change} }}") for _ in range(2)]
    assert all(core.ended().ok for core in running)
    assert cores.value("n") == 2 * count


def test_a_lock_that_another_core_holds_is_waited_for() -> None:
    cores = Cores(PATIENT)
    cores.set("k", 1)
    core = cores.start("spinlock_lock(&.k); .n = 5;")
    time.sleep(0.05)
    assert core.result is None
    cores.set("k", 0)
    assert core.ended().ok
    assert (cores.value("k"), cores.value("n")) == (1, 5)


@pytest.mark.parametrize("tries", [0, 1, 2, 1000])
def test_a_lock_that_nobody_releases_is_a_deadlock_after_so_many_tries(tries: int) -> None:
    cores = Cores(tries)
    cores.set("k", 1)
    fault = cores.start("spinlock_lock(&.k);").ended().fault
    assert fault is not None
    assert fault.kind is FaultKind.DEADLOCK
    assert fault.values == {"address": cores.store.entries["k"].address}


@pytest.mark.parametrize("rounds", [0, 1, 5])
def test_python_says_whether_a_lock_is_tried_again(rounds: int) -> None:
    asked: list[int] = []

    def waits(before: int) -> bool:
        asked.append(before)
        return before < rounds

    cores = Cores(100)
    cores.engine.sharing = Sharing(lock_tries=100, waits=waits)
    cores.set("k", 1)
    fault = cores.start("spinlock_lock(&.k);").ended().fault
    assert (fault is not None and fault.kind, asked) == (FaultKind.DEADLOCK, list(range(rounds + 1)))
