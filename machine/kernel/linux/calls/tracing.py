"""ptrace(2): what a tracer asks for. The stops themselves are machine.kernel.linux.tracing's and the kernel's."""

from __future__ import annotations

import struct
from collections.abc import Callable

from machine.kernel.linux import signals, tracing
from machine.kernel.linux.abi import Address, Long, Word, call
from machine.kernel.linux.errors import Errno, LinuxError, Refused
from machine.kernel.linux.names import ARCH_X86_64
from machine.kernel.linux.signal_frame import SIGINFO_BYTES, SignalInfo
from machine.kernel.linux.space import USER_SPACE
from machine.kernel.linux.task import Task
from machine.kernel.linux.tracing import Stage, Trace, Until
from machine.processor import FXSAVE_BYTES, Cpu, msr
from vm.facts.registers import RFLAGS, RIP, STORAGE_INDEX

_ORIGINAL_RAX, _CS, _FLAGS, _SS, _FS_BASE, _GS_BASE = 15, 17, 18, 20, 21, 22  # of struct user_regs_struct
_WORDS = 27
_GENERAL = "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi"
_STORAGES = {at: STORAGE_INDEX[name] for at, name in enumerate(_GENERAL.split())}
_STORAGES |= {16: RIP, _FLAGS: RFLAGS, 19: STORAGE_INDEX["rsp"]}
_ROW = struct.Struct(f"<{_WORDS}Q")
_USER_CODE, _USER_DATA = 0x33, 0x2B
_USER_FLAGS = 0x25_4DD5  # that a tracer may change (FLAG_MASK)
_FIXED_FLAGS = 0x202
_DEBUG_REGISTERS, _USER_BYTES = 848, 912  # of struct user
_TRACE_ME, _ATTACH, _KILL, _SEIZE, _INTERRUPT, _LISTEN = 0, 16, 8, 0x4206, 0x4207, 0x4208
_GENERAL_SET, _FLOATING_SET = 1, 2  # NT_PRSTATUS, NT_FPREGSET
_RESERVED_CONTROL = 0xFFFF_FFFF_0000_FC00  # of DR7 (DR_CONTROL_RESERVED)
_DETACH, _CONTINUE, _STEP, _CALL = 17, 7, 9, 24


@call("ptrace")
def ptrace(task: Task, request: Long, process: Long, address: Address, data: Word) -> int:
    """ptrace(2)"""
    if request == _TRACE_ME:
        if task.trace is not None:
            raise LinuxError(Errno.EPERM)
        tracing.begin(task, task.threads.parent)
        return 0
    target = next((each for each in task.threads.everybody.values() if each.tid == process), None)
    if target is None:
        raise LinuxError(Errno.EPERM if process == 1 and request in (_ATTACH, _SEIZE) else Errno.ESRCH)
    if request in (_ATTACH, _SEIZE):
        return _attach(task, target, request == _SEIZE, address, data)
    trace = target.trace
    if trace is None or trace.tracer is not task.threads:
        raise LinuxError(Errno.ESRCH)
    if request == _KILL:
        signals.die(target.threads, signals.SIGKILL)
        return 0
    if request == _INTERRUPT:
        if not trace.is_seized:
            raise LinuxError(Errno.EIO)
        if trace.is_listening:
            tracing.stop_again(target)
        tracing.interrupt(target)
        return 0
    if not trace.code or trace.is_listening:
        raise LinuxError(Errno.ESRCH)
    if request == _LISTEN:
        if not trace.is_seized or trace.code >> 8 != tracing.EVENT_STOP:
            raise LinuxError(Errno.EIO)
        trace.is_listening, trace.news = True, None
        if trace.is_notified:
            trace.is_notified = False
            tracing.stop_again(target)
        return 0
    if request in (_CONTINUE, _STEP, _CALL, _DETACH):
        return _go_on(target, trace, request, data)
    if request not in _REQUESTS:
        raise Refused(Errno.EIO)
    return _REQUESTS[request](task, target, trace, address, data)


def _attach(task: Task, target: Task, is_seized: bool, address: int, data: int) -> int:
    if is_seized and (address or data & ~tracing.OPTIONS):
        raise LinuxError(Errno.EIO)
    hidden = task.user and not target.threads.is_dumpable
    if target.threads is task.threads or target.trace is not None or hidden:
        raise LinuxError(Errno.EPERM)
    tracing.begin(target, task.threads, data if is_seized else 0, is_seized=is_seized)
    if not is_seized:
        signals.send_to(target, SignalInfo(signals.SIGSTOP, signals.SI_KERNEL, 0), target)
    return 0


def _go_on(target: Task, trace: Trace, request: int, signal: int) -> int:
    if signal > signals.SIGNALS:
        raise LinuxError(Errno.EIO)
    if request == _DETACH:
        tracing.end(target, signal)
        return 0
    trace.until = {_CONTINUE: Until.SIGNAL, _STEP: Until.STEP, _CALL: Until.CALL}[request]
    trace.code, trace.news, trace.injected = 0, None, signal
    if trace.is_notified:
        trace.is_notified = False
        tracing.interrupt(target)
    return 0


# --- memory


def _peek(task: Task, target: Task, trace: Trace, address: int, data: int) -> int:
    found = target.space.memory.read(address, 8) if address < USER_SPACE else None
    if found is None:
        raise LinuxError(Errno.EIO)
    task.space.store(data, found)
    return 0


def _poke(task: Task, target: Task, trace: Trace, address: int, data: int) -> int:
    if address >= USER_SPACE or not target.space.memory.write(address, data.to_bytes(8, "little")):
        raise LinuxError(Errno.EIO)
    return 0


# --- registers


def _cpu(target: Task) -> Cpu:
    """The CPU with the registers of a thread that is stopped."""
    target.process.switch_to(target.thread)
    return target.process.cpu


def _registers(target: Task, trace: Trace) -> list[int]:
    """A struct user_regs_struct."""
    cpu = _cpu(target)
    words = [0] * _WORDS
    for at, storage in _STORAGES.items():
        words[at] = cpu.registers.read(storage)
    words[_ORIGINAL_RAX] = trace.call % (1 << 64)
    words[_FLAGS] |= _FIXED_FLAGS
    words[_CS], words[_SS] = _USER_CODE, _USER_DATA
    words[_FS_BASE], words[_GS_BASE] = cpu.read_msr(msr.FS_BASE), cpu.read_msr(msr.GS_BASE)
    return words


def _set_registers(target: Task, trace: Trace, words: list[int]) -> None:
    """Raises EIO for bases and selectors that no program has."""
    if max(words[_FS_BASE], words[_GS_BASE]) >= USER_SPACE or (words[_CS], words[_SS]) != (_USER_CODE, _USER_DATA):
        raise LinuxError(Errno.EIO)
    cpu = _cpu(target)
    for at, storage in _STORAGES.items():
        value = words[at]
        if at == _FLAGS:
            value = value & _USER_FLAGS | cpu.registers.read(storage) & ~_USER_FLAGS
        cpu.registers.write(storage, value)
    cpu.write_msr(msr.FS_BASE, words[_FS_BASE])
    cpu.write_msr(msr.GS_BASE, words[_GS_BASE])
    trace.call = (words[_ORIGINAL_RAX] & 0xFFFF_FFFF ^ 1 << 31) - (1 << 31)
    if trace.call == -1:
        target.restart = None


def _get_registers(task: Task, target: Task, trace: Trace, address: int, data: int) -> int:
    task.space.store(data, _ROW.pack(*_registers(target, trace)))
    return 0


def _put_registers(task: Task, target: Task, trace: Trace, address: int, data: int) -> int:
    _set_registers(target, trace, list(_ROW.unpack(task.space.load(data, _ROW.size))))
    return 0


def _peek_user(task: Task, target: Task, trace: Trace, address: int, data: int) -> int:
    if address % 8 or address > _USER_BYTES - 8:
        raise LinuxError(Errno.EIO)
    at, words = address // 8, _registers(target, trace)
    debug = (address - _DEBUG_REGISTERS) // 8
    value = words[at] if at < _WORDS else _debug_register(target, debug) if debug >= 0 else 0
    task.space.store_words(data, "Q", value)
    return 0


def _debug_register(target: Task, which: int) -> int:
    return 0 if which in (4, 5) else _cpu(target).registers.read(STORAGE_INDEX[f"dr{which}"])


def _poke_user(task: Task, target: Task, trace: Trace, address: int, data: int) -> int:
    if address % 8 or address > _USER_BYTES - 8:
        raise LinuxError(Errno.EIO)
    at = address // 8
    if at < _WORDS:
        words = _registers(target, trace)
        words[at] = data
        _set_registers(target, trace, words)
        return 0
    which = (address - _DEBUG_REGISTERS) // 8
    if which < 0:
        raise Refused(Errno.EIO)
    return _set_debug_register(target, which, data)


def _set_debug_register(target: Task, which: int, value: int) -> int:
    """Breakpoints of the thread. Raises EIO, and EINVAL for a condition or an address that Linux does not take."""
    if which in (4, 5):
        raise LinuxError(Errno.EIO)
    if which < 4 and value >= USER_SPACE:
        raise LinuxError(Errno.EINVAL)
    if which == 7:
        value &= ~_RESERVED_CONTROL
        for each in range(4):
            kind, length = value >> 16 + 4 * each & 3, value >> 18 + 4 * each & 3
            if value >> 2 * each & 3 and (kind == 2 or (kind == 0 and length)):
                raise LinuxError(Errno.EINVAL)
    cpu = _cpu(target)
    cpu.registers.write(STORAGE_INDEX[f"dr{which}"], value)
    cpu.registers.store()
    cpu.breakpoints.look_again()
    return 0


def _get_floating(task: Task, target: Task, trace: Trace, address: int, data: int) -> int:
    task.space.store(data, _cpu(target).read_fxsave())
    return 0


def _put_floating(task: Task, target: Task, trace: Trace, address: int, data: int) -> int:
    _cpu(target).write_fxsave(task.space.load(data, FXSAVE_BYTES))
    return 0


def _get_set(task: Task, target: Task, trace: Trace, address: int, data: int) -> int:
    """Of as many bytes as there is room for."""
    start, size = task.space.load_words(data, "QQ")
    image = {
        _GENERAL_SET: lambda: _ROW.pack(*_registers(target, trace)), _FLOATING_SET: lambda: _cpu(target).read_fxsave(),
    }.get(address)  # fmt: skip
    if image is None or size % 8:
        raise LinuxError(Errno.EINVAL)
    told = image()[:size]
    task.space.store(start, told)
    task.space.store_words(data + 8, "Q", len(told))
    return 0


def _put_set(task: Task, target: Task, trace: Trace, address: int, data: int) -> int:
    start, size = task.space.load_words(data, "QQ")
    if address not in (_GENERAL_SET, _FLOATING_SET) or size % 8:
        raise LinuxError(Errno.EINVAL)
    if address == _FLOATING_SET:
        return _put_floating(task, target, trace, 0, start)
    present = _ROW.pack(*_registers(target, trace))
    given = task.space.load(start, min(size, _ROW.size))
    _set_registers(target, trace, list(_ROW.unpack(given + present[len(given) :])))
    task.space.store_words(data + 8, "Q", len(given))
    return 0


# --- stops


def _set_options(task: Task, target: Task, trace: Trace, address: int, data: int) -> int:
    if data & ~tracing.OPTIONS:
        raise LinuxError(Errno.EINVAL)
    trace.options = data
    return 0


def _message(task: Task, target: Task, trace: Trace, address: int, data: int) -> int:
    task.space.store_words(data, "Q", trace.message)
    return 0


def _call_info(task: Task, target: Task, trace: Trace, address: int, data: int) -> int:
    """PTRACE_GET_SYSCALL_INFO: a struct ptrace_syscall_info, of as many bytes as there is room for; how many it has."""
    registers = _cpu(target).registers
    row = struct.pack("<B3xIQQ", trace.stage.value, ARCH_X86_64, registers.read(RIP), registers.read(_STORAGES[19]))
    if trace.stage is Stage.ENTRY:
        arguments = (registers.read(STORAGE_INDEX[name]) for name in ("rdi", "rsi", "rdx", "r10", "r8", "r9"))
        row += struct.pack("<7Q", trace.call % (1 << 64), *arguments)
    elif trace.stage is Stage.EXIT:
        result = registers.read(STORAGE_INDEX["rax"])
        row += struct.pack("<QB", result, result > (1 << 64) - 4096)
    task.space.store(data, row[:address])
    return len(row)


def _info(task: Task, target: Task, trace: Trace, address: int, data: int) -> int:
    if trace.info is None:
        raise LinuxError(Errno.EINVAL)
    task.space.store(data, trace.info.data)
    return 0


def _set_info(task: Task, target: Task, trace: Trace, address: int, data: int) -> int:
    if trace.info is None:
        raise LinuxError(Errno.EINVAL)
    raw = task.space.load(data, SIGINFO_BYTES)
    number, _, code = struct.unpack_from("<iii", raw)
    trace.info = SignalInfo(number, code, raw=raw)
    return 0


_REQUESTS: dict[int, Callable[[Task, Task, Trace, int, int], int]] = {
    1: _peek, 2: _peek, 3: _peek_user, 4: _poke, 5: _poke, 6: _poke_user, 12: _get_registers, 13: _put_registers,
    14: _get_floating, 15: _put_floating, 0x4200: _set_options, 0x4201: _message, 0x4202: _info, 0x4203: _set_info,
    0x4204: _get_set, 0x4205: _put_set, 0x420E: _call_info,
}  # fmt: skip
