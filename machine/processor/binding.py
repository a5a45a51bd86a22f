"""The one module that touches private parts of the Unicorn binding: raw hooks, the engine handle, batched registers.

The public binding classifies ids and allocates at every register access (31 us for 18 registers; 0.8 us here), refuses
the RDTSC hooks and wraps every hook twice. Tests in tests/machine/processor/test_cpu.py notice when these names change.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
from unicorn import unicorn_const as uc, x86_const as x86
from unicorn.unicorn_py3.unicorn import Uc, uclib

from vm import require_memory

WORD_MASK = 0xFFFF_FFFF_FFFF_FFFF

_void_p, _u32, _u64, _i32, _i64 = ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint64, ctypes.c_int, ctypes.c_int64

# The C types of the hooks that `Engine.add_hook` takes (unicorn.h).
BLOCK_HOOK = ctypes.CFUNCTYPE(None, _void_p, _u64, _u32, _void_p)
CODE_HOOK = ctypes.CFUNCTYPE(None, _void_p, _u64, _u32, _void_p)
EDGE_HOOK = ctypes.CFUNCTYPE(None, _void_p, _void_p, _void_p, _void_p)  # uc_tb of this block and of the one before
INVALID_INSTRUCTION_HOOK = ctypes.CFUNCTYPE(ctypes.c_bool, _void_p, _void_p)
INTERRUPT_HOOK = ctypes.CFUNCTYPE(None, _void_p, _u32, _void_p)
SYSCALL_HOOK = ctypes.CFUNCTYPE(None, _void_p, _void_p)
PORT_READ_HOOK = ctypes.CFUNCTYPE(_u32, _void_p, _u32, _i32, _void_p)  # the port and the bytes that are asked for
PORT_WRITE_HOOK = ctypes.CFUNCTYPE(None, _void_p, _u32, _i32, _u32, _void_p)
CPUID_HOOK = ctypes.CFUNCTYPE(_i32, _void_p, _void_p)
TIME_STAMP_HOOK = ctypes.CFUNCTYPE(_u32, _void_p, _void_p)


class TlbEntry(ctypes.Structure):
    """uc_tlb_entry of unicorn.h: what a TLB_FILL_HOOK answers with."""

    _fields_ = (("physical_address", ctypes.c_uint64), ("protection", ctypes.c_uint32))


TLB_FILL_HOOK = ctypes.CFUNCTYPE(ctypes.c_bool, _void_p, _u64, _i32, ctypes.POINTER(TlbEntry), _void_p)


class _Msr(ctypes.Structure):
    """uc_x86_msr of unicorn/x86.h."""

    _fields_ = (("number", ctypes.c_uint32), ("value", ctypes.c_uint64))


class _Table(ctypes.Structure):
    """uc_x86_mmr of unicorn/x86.h."""

    _fields_ = (
        ("selector", ctypes.c_uint16), ("base", ctypes.c_uint64), ("limit", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
    )  # fmt: skip


MSR_CELLS = 2  # words of a _Msr: the number and the value


def function_address(name: str) -> int:
    """The address of a C function of Unicorn, for machine code that calls it."""
    return ctypes.cast(getattr(uclib, name), _void_p).value or 0


def library() -> str:
    """The file that Unicorn was loaded from."""
    path: str = uclib._name
    return path


def control_word(kind: int, access: int, arguments: int) -> int:
    """The second argument of uc_ctl, as a signed 32-bit integer: the UC_CTL macro of unicorn.h."""
    return ctypes.c_int32(kind | arguments << 26 | access << 30).value


def address_of(handle: Any) -> int:
    """What a handle of Unicorn points to."""
    address: int | None = handle.value
    return address or 0


_HOOK_WORDS = 8  # in which a hook's callback stands, and its data behind it
_SET_EXITS = control_word(uc.UC_CTL_UC_EXITS, uc.UC_CTL_IO_WRITE, arguments=2)

# Unicorn's own choice is 1 GiB. When the buffer is full, all translations are dropped and made again.
TRANSLATION_BYTES = 64 << 20
_ENGINE_BYTES = 32 << 20  # what an engine takes besides


class EmulatorError(Exception):
    """Unicorn refused an operation that this package believes to be valid."""


class Batch:
    """Registers that are read with one C call into arrays that are built once; `words` of 64 bits each."""

    def __init__(self, handle: Any, ids: Sequence[int], words: int = 1, values: Any = None) -> None:
        """`values` is the array to be used, if there is one."""
        self._handle = handle
        self._count = len(ids)
        self._ids = (ctypes.c_int * self._count)(*ids)
        self.values = (ctypes.c_uint64 * (self._count * words))() if values is None else values
        base, step = ctypes.addressof(self.values), ctypes.sizeof(ctypes.c_uint64) * words
        self._pointers = (ctypes.c_void_p * self._count)(*(base + step * index for index in range(self._count)))

    def read(self) -> None:
        """Fill `values` from the engine. Registers narrower than 64 bits leave the upper bytes as they are: zero."""
        uclib.uc_reg_read_batch(self._handle, self._ids, self._pointers, self._count)

    def write_first(self, count: int) -> None:
        """Write the first `count` of `values` to the engine."""
        uclib.uc_reg_write_batch(self._handle, self._ids, self._pointers, count)

    def write(self) -> None:
        """Write all of `values` to the engine."""
        uclib.uc_reg_write_batch(self._handle, self._ids, self._pointers, self._count)

    def write_one(self, index: int, value: int) -> None:
        """Write one register to the engine, whatever stands in `values`."""
        cell = ctypes.c_uint64(value & WORD_MASK)
        uclib.uc_reg_write(self._handle, self._ids[index], ctypes.byref(cell))


class MsrBatch:
    """Model-specific registers that are read with one C call."""

    def __init__(self, handle: Any, numbers: Sequence[int]) -> None:
        self._handle = handle
        self._count = len(numbers)
        self._ids = (ctypes.c_int * self._count)(*[x86.UC_X86_REG_MSR] * self._count)
        self._cells = (_Msr * self._count)(*(_Msr(number, 0) for number in numbers))
        base, step = ctypes.addressof(self._cells), ctypes.sizeof(_Msr)
        self._pointers = (ctypes.c_void_p * self._count)(*(base + step * index for index in range(self._count)))
        self._words = (ctypes.c_uint64 * (2 * self._count)).from_buffer(self._cells)  # number and value by turns

    def read(self) -> list[int]:
        """The values, in the order of the numbers."""
        uclib.uc_reg_read_batch(self._handle, self._ids, self._pointers, self._count)
        values: list[int] = self._words[1::2]
        return values


class Hook(msgspec.Struct, frozen=True, eq=False):
    """An installed hook; the engine holds only the address of its callback."""

    number: int
    callback: Any
    kind: int


def callback_address(hook: Hook) -> int:
    """The address of a hook's C function; valid as long as the hook lives."""
    return ctypes.cast(hook.callback, _void_p).value or 0


def user_data_address(hook: Hook, data: int) -> int | None:
    """Where Unicorn keeps the last argument of a hook that was just installed with `data`; None where it is not found.

    Calls of hooks for blocks and instructions are translated with what stands there then.
    """
    callback = ctypes.cast(hook.callback, _void_p).value
    words = (ctypes.c_uint64 * _HOOK_WORDS).from_address(hook.number)
    found = [index for index in range(_HOOK_WORDS - 1) if (words[index], words[index + 1]) == (callback, data)]
    return ctypes.addressof(words) + 8 * (found[0] + 1) if len(found) == 1 else None


class Engine:
    """One Unicorn engine in 64-bit mode with raw hooks. Registers and memory are reached through `uc`."""

    def __init__(self, cpu_model: int, translation_bytes: int = TRANSLATION_BYTES) -> None:
        """Raises HostMemoryError, where Unicorn would end the process."""
        require_memory(translation_bytes + _ENGINE_BYTES, "an emulator")
        self.uc: Any = Uc(uc.UC_ARCH_X86, uc.UC_MODE_64)
        self.uc.ctl_set_cpu_model(cpu_model)
        self.uc.ctl_set_tcg_buffer_size(translation_bytes)
        self.handle = self.uc._uch
        self.read_register(x86.UC_X86_REG_RIP)  # the engine allocates now, as long as the probe holds
        cell = _Msr()
        self._msr_cell: tuple[Any, Any] = (cell, ctypes.byref(cell))
        self._has_exits, self._exit = False, ctypes.c_uint64()
        self._hooks: set[Hook] = set()
        self._removed: list[Hook] = []  # a hook may be removed by its own callback, whose code must survive the call

    def add_hook(
        self, hook_type: int, callback: Any, instruction: int | None = None, address: int | None = None, data: int = 0
    ) -> Hook:
        """Install a C callback for one address or for all: one of the *_HOOK types, or the address of machine code.

        `data` is what the callback gets as its last argument.
        """
        cell = ctypes.c_size_t()
        begin, end = (1, 0) if address is None else (address, address)
        arguments: list[Any] = [
            self.handle,
            ctypes.byref(cell),
            hook_type,
            ctypes.cast(callback, _void_p),
            _void_p(data),
        ]
        arguments += [_u64(begin), _u64(end)]
        if instruction is not None:
            arguments.append(_i32(instruction))
        self._check(uclib.uc_hook_add(*arguments), "uc_hook_add")
        hook = Hook(cell.value, callback, hook_type)
        self._hooks.add(hook)
        return hook

    @property
    def block_hooks(self) -> int:
        """How many hooks of blocks there are."""
        return sum(hook.kind == uc.UC_HOOK_BLOCK for hook in self._hooks)

    def remove_hook(self, hook: Hook) -> bool:
        """Remove a hook that `add_hook` returned, if it is there; safe in the hook itself. A closed engine has none."""
        if hook not in self._hooks:
            return False
        self._check(uclib.uc_hook_del(self.handle, ctypes.c_size_t(hook.number)), "uc_hook_del")
        self._hooks.remove(hook)
        self._removed.append(hook)
        return True

    def start(self, begin: int, until: int, count: int = 0) -> int:
        """Run, for at most `count` instructions unless that is 0; the result is Unicorn's error code.

        Exceptions of callbacks are the callbacks' business. `count` slows an engine down and must be constant.
        """
        self.forget_removed()
        if self._has_exits:
            self._exit.value = until
            uclib.uc_ctl(self.handle, _SET_EXITS, ctypes.byref(self._exit), ctypes.c_size_t(1))
        status: int = uclib.uc_emu_start(self.handle, _u64(begin), _u64(until), _u64(0), ctypes.c_size_t(count))
        return status

    def forget_removed(self) -> None:
        """No hook is under way: those that were removed are not needed any more."""
        self._removed.clear()

    def end_at_exits(self) -> None:
        """Have `until` set by every `start` as the one exit: somebody takes it away to spare its cost at an end."""
        self._has_exits = True
        self.uc.ctl_exits_enabled(True)

    def end_nowhere(self) -> None:
        """Let no address end `start`, whatever its `until`.

        Such an address is dear: Unicorn forgets its translation behind every run, and asks for its page anew.
        """
        self.uc.ctl_exits_enabled(True)
        self.uc.ctl_set_exits([])

    def close(self) -> None:
        """Free the engine, which is not used any more: Unicorn does so when nobody has its object."""
        self._hooks.clear()
        del self.uc

    def stop(self) -> None:
        """End `start` before the next block; safe from hooks."""
        uclib.uc_emu_stop(self.handle)

    def set_register(self, register: int, value: int) -> None:
        """Set one register of up to 64 bits."""
        cell = ctypes.c_uint64(value & WORD_MASK)
        uclib.uc_reg_write(self.handle, register, ctypes.byref(cell))

    def read_register(self, register: int) -> int:
        """The value of one register of up to 64 bits."""
        cell = ctypes.c_uint64()
        uclib.uc_reg_read(self.handle, register, ctypes.byref(cell))
        return cell.value

    def read_table(self, register: int) -> tuple[int, int]:
        """Base and limit of a descriptor table, by the register that has them."""
        cell = _Table()
        uclib.uc_reg_read(self.handle, register, ctypes.byref(cell))
        return cell.base, cell.limit

    def read_msr(self, number: int) -> int:
        """The value of a model-specific register; 0 for one that the CPU model does not have."""
        cell, pointer = self._msr_cell
        cell.number, cell.value = number, 0
        uclib.uc_reg_read(self.handle, x86.UC_X86_REG_MSR, pointer)
        value: int = cell.value
        return value

    def write_msr(self, number: int, value: int) -> None:
        """Set a model-specific register; ignored for one that the CPU model does not have."""
        cell = _Msr(number, value & WORD_MASK)
        uclib.uc_reg_write(self.handle, x86.UC_X86_REG_MSR, ctypes.byref(cell))

    def map_pointer(self, address: int, size: int, protection: int, pointer: int) -> None:
        """Map host memory. Raises EmulatorError."""
        self._check(uclib.uc_mem_map_ptr(self.handle, address, size, protection, pointer), "uc_mem_map_ptr")

    @contextmanager
    def without_translation(self) -> Iterator[None]:
        """A stretch between runs in which every address is its own and no TLB_FILL_HOOK is asked.

        Unicorn asks for the page of all code that it forgets, and fails later where that is refused.
        """
        self.uc.ctl_set_tlb_mode(uc.UC_TLB_CPU)
        try:
            yield
        finally:
            self.uc.ctl_set_tlb_mode(uc.UC_TLB_VIRTUAL)
            self.flush_tlb()

    def flush_tlb(self) -> None:
        """Ask the TLB_FILL_HOOK again for every page."""
        self.uc.ctl(uc.UC_CTL_TLB_FLUSH, uc.UC_CTL_IO_WRITE)

    def unmap(self, address: int, size: int) -> None:
        """Unmap what `map_pointer` mapped. Raises EmulatorError."""
        self._check(uclib.uc_mem_unmap(self.handle, address, size), "uc_mem_unmap")

    def forget_all_code(self) -> None:
        """Drop every translation."""
        self.uc.ctl_flush_tb()

    def forget_code(self, begin: int, end: int) -> None:
        """Drop the translations of [begin, end), whose bytes were changed behind the engine's back."""
        self.uc.ctl_remove_cache(begin, end)

    def _check(self, status: int, what: str) -> None:
        if status != uc.UC_ERR_OK:
            raise EmulatorError(f"{what}: {uclib.uc_strerror(status).decode()}")
