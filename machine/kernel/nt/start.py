"""A new process of the nt kernel, with a folder of DLLs: ntdll and the program are mapped, and ntdll begins."""

from __future__ import annotations

import struct

from machine.kernel import builds
from machine.kernel.base import Start
from machine.kernel.nt import blocks, context
from machine.kernel.nt.files import DriveFile
from machine.kernel.nt.numbering import renumbered
from machine.kernel.nt.objects import ThreadObject
from machine.kernel.nt.process import command_line
from machine.kernel.nt.space import (
    GRANULARITY,
    MEM_IMAGE,
    PAGE_EXECUTE_READ,
    PAGE_EXECUTE_WRITECOPY,
    PAGE_GUARD,
    PAGE_READWRITE,
    Allocation,
    Note,
    NtSpace,
    protect_of_section,
)
from machine.kernel.nt.state import STANDARD_HANDLES, Dispatchers, NtState
from machine.kernel.nt.status import STATUS_NO_MEMORY, STATUS_STACK_OVERFLOW, NtError
from machine.kernel.nt.volume import Volume
from machine.loaders import LoadError, Module
from machine.memory import PAGE, page_ceil
from machine.processor import INITIAL_FXSAVE, msr
from machine.schedule import Process
from vm.facts.limits import Limits
from vm.facts.registers import GENERAL, RFLAGS, RIP, STORAGE_INDEX

_FLAGS = 0x202
_CONTROL_WORD = 0x27F
FLOATS = struct.pack("<H", _CONTROL_WORD) + INITIAL_FXSAVE[2:]
_WINE_GUARANTEE = 0x6000  # whose way from an exception that nobody handles to the end takes up to 0x3000
_LEAST_STACK, _LARGEST_STACK = 0x10_0000, 0x4000_0000

# Behind Wine's unix calls (handle, code, arguments): for ntdll's handle and code 2 copy SystemTime to [r8]; for code 1,
# which unwinds code of ELF modules, STATUS_UNSUCCESSFUL, so that code without a table is taken for a leaf function;
# else STATUS_NOT_IMPLEMENTED. cmp rcx, 1; jne +1eh; cmp edx, 2; jne +0eh; mov rax, [7ffe0014h]; mov [r8], rax;
# xor eax, eax; ret; cmp edx, 1; jne +6; mov eax, c0000001h; ret; mov eax, c0000002h; ret
NTDLL_HANDLE = 1
_STUB = bytes.fromhex(
    "4883f901 751e 83fa02 750e 488b0425 1400fe7f 498900 31c0 c3 83fa01 7506 b8010000c0 c3 b8020000c0 c3"
)


def map_module(state: NtState, module: Module, largest: int) -> None:
    """Map a module of the plan at its base. Raises LoadError, NtError."""
    areas, contents = module.file.at(module.base, largest)
    if module is (state.plan.ntdll if state.plan else None):
        contents = renumbered(contents, module.base, state.numbering.changes)
    state.space.map_image(module.base, module.file.size, areas, contents, module.path)


def adopt_image(space: NtSpace, module: Module) -> None:
    """The program's image, which the machine has mapped, becomes an allocation."""
    made = Allocation(module.base, module.base + module.file.size, PAGE_EXECUTE_WRITECOPY, MEM_IMAGE, module.path)
    memory = space.memory
    for area in memory.areas_within(made.base, made.end):
        memory.change(
            area.start, area.end,
            lambda each: each._replace(tag=Note(made, protect_of_section(each.protection)), name=made.name),
        )  # fmt: skip


def make_stack(space: NtSpace, reserve: int, commit: int, guaranteed: int) -> tuple[int, int, int]:
    """A stack with guard pages below what is committed: upper end, limit, start of the allocation. Raises NtError.

    One page more guards than what is `guaranteed` to the handlers of a stack that is used up.
    """
    reserve = max(reserve, _LEAST_STACK)
    reserve = min(max(page_ceil(reserve), GRANULARITY) + GRANULARITY - 1 & -GRANULARITY, _LARGEST_STACK)
    guard = guaranteed + PAGE
    commit = min(max(page_ceil(commit), 2 * PAGE), reserve - guard - PAGE)
    made = space.reserve(0, reserve, PAGE_READWRITE, "stack")
    limit = made.end - commit
    space.commit(limit, made.end, PAGE_READWRITE)
    space.commit(limit - guard, limit, PAGE_READWRITE | PAGE_GUARD)
    return made.end, limit, made.base


def grow_stack(state: NtState, thread: ThreadObject, address: int) -> int | None:
    """A guard page of a thread's own stack was touched: None when it has grown, else the NTSTATUS that is raised.

    It grows by a page, whose neighbour guards from then on, whatever that was before: a stack that was used up once
    has all pages committed. The last pages are those that handlers of STATUS_STACK_OVERFLOW are guaranteed; the one
    below them is never committed.
    """
    space, memory = state.space, state.space.memory
    page = address & -PAGE
    lowest = thread.stack[0] + PAGE
    asked = int.from_bytes(memory.read(thread.thread.teb + builds.TEB_GUARANTEED_STACK, 4) or b"", "little")
    guaranteed = max(state.guaranteed_stack, page_ceil(asked))
    space.protect(page, page + PAGE, PAGE_READWRITE)
    is_used_up = page < lowest + guaranteed
    if is_used_up:
        space.commit(lowest, min(lowest + guaranteed, thread.stack[1]), PAGE_READWRITE)
    else:
        space.commit(page - PAGE, page, PAGE_READWRITE | PAGE_GUARD)
    memory.write(thread.thread.teb + builds.TEB_STACK_LIMIT, struct.pack("<Q", lowest if is_used_up else page))
    return STATUS_STACK_OVERFLOW if is_used_up else None


def first_context(start: int, argument: int, stack: int, rip: int) -> bytes:
    """The CONTEXT with which a thread goes on behind the loader."""
    values = dict.fromkeys((*range(len(GENERAL)), RIP, RFLAGS), 0)
    values.update({
        STORAGE_INDEX["rcx"]: start, STORAGE_INDEX["rdx"]: argument, context.RSP: stack, RIP: rip, RFLAGS: _FLAGS,
    })  # fmt: skip
    return context.pack(values, FLOATS)


def first_registers(state: NtState, top: int, start: int, argument: int) -> dict[int, int]:
    """Put a thread's first CONTEXT on its stack; the registers with which the loader begins. Raises NtError."""
    place = (top - 0x100 - context.CONTEXT_BYTES) & -64
    data = first_context(start, argument, top - 0x28, state.dispatchers.thread_start)
    if not state.space.memory.write(place, data):
        raise NtError(STATUS_NO_MEMORY)
    return {
        STORAGE_INDEX["rcx"]: place, STORAGE_INDEX["rdx"]: state.dispatchers.ntdll, context.RSP: place - 0x28,
        RIP: state.dispatchers.loader, RFLAGS: _FLAGS,
    }  # fmt: skip


def prepare(process: Process, start: Start, state: NtState, names: tuple[str, ...], build: int, limits: Limits) -> None:
    """Map everything, and set the registers but RIP. Raises LoadError, MapError."""
    try:
        _prepare(process, start, state, names, build, limits)
    except NtError as error:
        raise LoadError(f"the process cannot be prepared (NTSTATUS {error.status:08x})") from None


def _environment(state: NtState, start: Start) -> tuple[str, ...]:
    """What is given, and the variable by which Wine's DLLs know who the user is."""
    return (*((blocks.WINE_USER,) if state.unix_functions else ()), *start.environment)


def _prepare(
    process: Process, start: Start, state: NtState, names: tuple[str, ...], build: int, limits: Limits
) -> None:
    plan, space, memory = state.plan, state.space, process.cpu.memory
    assert plan is not None
    file = plan.program.file
    path = "C:\\" + "\\".join(names)
    adopt_image(space, plan.program)
    map_module(state, plan.ntdll, limits.max_guest_memory)
    address = plan.ntdll.address_of
    state.dispatchers = Dispatchers(
        address("KiUserExceptionDispatcher"), address("KiUserApcDispatcher"), address("RtlUserThreadStart"), plan.start,
        plan.ntdll.base,
    )  # fmt: skip
    blocks.map_shared_data(memory, build, 1)
    if "__wine_unix_call_dispatcher" in plan.ntdll.exports:
        stub = space.reserve(0, PAGE, PAGE_EXECUTE_READ, "unix calls", commit=True).base
        memory.write(stub, _STUB)
        memory.write(address("__wine_unix_call_dispatcher"), struct.pack("<Q", stub))
        state.unix_functions = stub
    reserve, commit = file.number(72, 8), file.number(80, 8)
    # Threads of Wine begin by clearing 0xf0000 bytes of their stack.
    state.stack_sizes = (reserve or 0x10_0000, _LARGEST_STACK if state.is_wine else commit or 0x1000)
    state.guaranteed_stack = _WINE_GUARANTEE if state.is_wine else state.guaranteed_stack
    state.subsystem = (file.number(68, 2), file.number(48, 2), file.number(50, 2))
    folder_names = names[:-1]
    handle = 0
    if state.volume is not None:
        handle = _open_folder(state, state.volume, folder_names)
    folder = "C:\\" + "".join(f"{name}\\" for name in folder_names)
    line = command_line((path, *start.arguments[1:]))
    parameters = blocks.make_parameters(
        space, tuple(STANDARD_HANDLES), folder, handle, path, line, blocks.environment_block(_environment(state, start))
    )
    peb = blocks.make_peb(space, {
        0x008: ("Q", (1 << 64) - 1), 0x010: ("Q", plan.program.base), 0x020: ("Q", parameters),
        0x068: ("Q", blocks.make_api_sets(space, plan.api_sets)), 0x0B8: ("I", 1), 0x0C0: ("q", -25_920_000_000_000),
        0x0C8: ("Q", 0x10_0000), 0x0D0: ("Q", 0x2000), 0x0D8: ("Q", 0x1_0000), 0x0E0: ("Q", 0x1000), 0x0EC: ("I", 16),
        0x0F8: ("Q", blocks.make_graphics_handles(space)),
        0x118: ("I", 10), 0x11C: ("I", 0), 0x120: ("H", build), 0x124: ("I", 2), 0x128: ("I", state.subsystem[0]),
        0x12C: ("I", state.subsystem[1]), 0x130: ("I", state.subsystem[2]), 0x2C0: ("I", 1),
    })  # fmt: skip
    stack = make_stack(space, *state.stack_sizes, state.guaranteed_stack)
    teb = blocks.make_teb(space, (process.pid, process.tid), peb, stack, first=True)
    process.peb, process.thread.teb = peb, teb
    own = state.threads[process.thread]
    own.start, own.stack = plan.program.base + file.entry, (stack[2], stack[0])
    for storage, value in first_registers(state, stack[0], own.start, peb).items():
        process.cpu.registers.write(storage, value)
    process.cpu.write_msr(msr.GS_BASE, teb)
    process.cpu.write_fxsave(FLOATS)


def _open_folder(state: NtState, volume: Volume, names: tuple[str, ...]) -> int:
    spot = volume.find(names)
    return state.handles.open(DriveFile(spot=spot, is_directory=True)) if spot.exists else 0
