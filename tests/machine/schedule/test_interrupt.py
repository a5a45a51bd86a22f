"""What ends a run from outside: the end of its time, and Ctrl-C."""

from __future__ import annotations

import signal
import threading
import time

import pytest
from machine_guests import bench, script

from machine.events.dispatch import Trigger
from machine.machine import StopCause
from machine.schedule.interrupt import RunGuard

CALLS = "next: syscall; jmp next"


def wait_for(event: threading.Event) -> None:
    assert event.wait(10)


def test_expire_is_called_when_the_time_is_over() -> None:
    over = threading.Event()
    with RunGuard(lambda: None, over.set).guarding(0.01):
        wait_for(over)


def test_it_is_asked_again_until_the_run_is_over() -> None:
    requests: list[float] = []
    third = threading.Event()

    def expire() -> None:
        requests.append(time.monotonic())
        if len(requests) == 3:
            third.set()

    with RunGuard(lambda: None, expire).guarding(0.0):
        wait_for(third)
    count = len(requests)
    time.sleep(0.05)
    assert len(requests) == count


def test_without_a_time_nothing_expires() -> None:
    over = threading.Event()
    with RunGuard(lambda: None, over.set).guarding(None):
        assert not over.wait(0.05)


@pytest.mark.lasting
def test_suspended_time_does_not_count() -> None:
    over = threading.Event()
    guard = RunGuard(lambda: None, over.set)
    with guard.guarding(0.5):
        with guard.suspended():
            assert not over.wait(0.8)
        assert not over.is_set()
        wait_for(over)


def test_ctrl_c_reaches_stop_without_pythons_help() -> None:
    stopped = threading.Event()

    def run() -> None:
        with RunGuard(stopped.set, lambda: None).guarding(None):
            signal.raise_signal(signal.SIGINT)
            wait_for(stopped)

    with pytest.raises(KeyboardInterrupt):
        run()


def test_a_run_in_another_thread_has_its_time() -> None:
    guest = bench(CALLS)
    causes: list[StopCause] = []
    thread = threading.Thread(target=lambda: causes.append(guest.machine.run(timeout=0.05).cause))
    thread.start()
    thread.join(10)
    assert causes == [StopCause.TIMEOUT]


def test_a_run_that_is_over_leaves_nothing_to_the_next_one() -> None:
    guest = bench(CALLS)
    assert guest.machine.run(timeout=0.01).cause is StopCause.TIMEOUT
    assert guest.machine.run(1000).cause is StopCause.BUDGET


def test_the_run_ends_behind_the_script_that_is_under_way() -> None:
    guest = bench(CALLS)
    ended: list[bool] = []

    def slow(host: object) -> None:
        end = time.process_time() + 0.1
        while time.process_time() < end:
            pass
        ended.append(True)

    guest.on_syscall(script(slow))
    assert guest.machine.run(timeout=0.02).cause is StopCause.TIMEOUT
    assert ended == [True]


@pytest.mark.lasting
def test_the_time_at_a_prompt_does_not_count() -> None:
    guest = bench("syscall")

    def think(trigger: Trigger) -> bool:
        time.sleep(0.3)
        return True

    guest.machine.goes_on = think
    guest.on_syscall(script(lambda host: host.request("pause", ())))
    assert guest.machine.run(timeout=0.2).cause is StopCause.END


def test_the_outer_handler_and_pipe_of_signals_come_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with RunGuard(lambda: None, lambda: None).guarding(1.0):
        pass
    assert signal.getsignal(signal.SIGINT) is before
    assert signal.set_wakeup_fd(-1) == -1


def test_signals_that_end_a_process_are_left_alone_where_nobody_has_asked() -> None:
    before = signal.signal(signal.SIGTERM, heard := lambda *_: None)
    try:
        with RunGuard(lambda: None, lambda: None).guarding(1.0):
            assert signal.getsignal(signal.SIGTERM) is heard
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
