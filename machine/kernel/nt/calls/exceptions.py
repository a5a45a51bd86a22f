"""Calls that continue with a CONTEXT and raise exceptions."""

from __future__ import annotations

from machine.kernel.nt.abi import Address, NtThread, UInt, Word, call
from machine.kernel.nt.apcs import begun_apc, pending_apc
from machine.kernel.nt.context import CONTEXT_BYTES, EXCEPTION_RECORD_BYTES, STORAGES, ExceptionRecord, unpack
from machine.kernel.nt.exceptions import entered
from machine.kernel.nt.thread_registers import call_values
from machine.kernel.outcomes import Enter, Exit, Result
from machine.schedule import Unhandled
from vm.facts.registers import RIP

_TEST_ALERT = 1


@call("NtContinue")
def go_on(thread: NtThread, place: Address, alert: UInt) -> Result:
    """With the registers of a CONTEXT; an APC that waits comes before, if `alert` asks for it."""
    return _go_on(thread, place, tests=bool(alert & 0xFF))


@call("NtContinueEx")
def go_on_so(thread: NtThread, place: Address, argument: Word) -> Result:
    """The same; the argument is a BOOLEAN, or a KCONTINUE_ARGUMENT, whose flags stand behind its type."""
    flags = argument if argument <= 0xFF else int.from_bytes(thread.data(argument + 4, 4), "little")
    return _go_on(thread, place, tests=bool(flags & _TEST_ALERT))


def _go_on(thread: NtThread, place: int, *, tests: bool) -> Result:
    values, floats = unpack(thread.data(place, CONTEXT_BYTES))
    thread.state.is_loaded |= values.get(RIP) == thread.state.dispatchers.thread_start
    if floats is not None:
        thread.process.cpu.write_fxsave(floats)
    if tests and thread.own.has_apcs(thread.services.clock.elapsed()):
        return begun_apc(thread, thread.own, {**call_values(thread.thread, 0), **values})
    return Enter(values)


@call("NtRaiseException")
def raise_exception(thread: NtThread, record: Address, place: Address, first: UInt) -> Result:
    """To the dispatcher, or the end of the process at the second chance."""
    what = ExceptionRecord.of(thread.data(record, EXCEPTION_RECORD_BYTES))
    if not first & 0xFF or not thread.state.dispatchers.exceptions:
        return _end(thread, what)
    given, floats = unpack(thread.data(place, CONTEXT_BYTES))
    cpu = thread.process.cpu
    values = {storage: cpu.registers.read(storage) for storage in STORAGES} | given
    if floats is not None:
        cpu.write_fxsave(floats)
    registers = entered(thread.state, thread.own, values, what)
    return _end(thread, what) if registers is None else Enter(registers)


def _end(thread: NtThread, record: ExceptionRecord) -> Result:
    thread.process.unhandled = Unhandled(record.code, record.address, thread.thread.tid)
    return Exit(record.code)


@call("NtTestAlert")
def test_alert(thread: NtThread) -> Result:
    """Begin the APCs that wait."""
    own = thread.own
    return pending_apc(thread, own, 0) if own.has_apcs(thread.services.clock.elapsed()) else 0
