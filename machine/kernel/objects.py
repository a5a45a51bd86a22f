"""Kernel memory that all processes share: processor blocks, EPROCESS per process, ETHREAD and kernel stack per thread.

They are Windows' whatever kernel answers the system calls, because conditions and scripts look there: GS of kernel mode
is the processor block (KPCR), gs:[188] the thread, +b8 its process (events-and-commands G.1).
"""

from __future__ import annotations

import struct
from collections import deque

import msgspec

from machine.kernel import builds
from machine.kernel.builds import PROCESS_LIST, PROCESSOR_BASE, Build
from machine.kernel.text import KernelText
from machine.memory import PAGE, AddressSpace, Area, Frames, Protection, SharedMemory
from machine.processor import descriptors

POOL_BASE = 0xFFFF_E001_0000_0000

_POOL_STEP = 0x1_0000
_PROCESS_BYTES = 0x1000  # of the first block of a process, in which its first thread follows
_THREAD_BYTES = 0x7000  # an ETHREAD, and behind it the kernel stack
_STACK_LIMIT = 0x1000
_BLOCK_THREADS = 16  # for which memory is mapped at a time
THREAD_POOL_BASE = 0xFFFF_E002_0000_0000  # of the threads that processes make
_READ_WRITE = Protection.READ | Protection.WRITE
_READ_EXECUTE = Protection.READ | Protection.EXECUTE


class ThreadObjects(msgspec.Struct, frozen=True):
    """The addresses of what one thread has in kernel memory."""

    thread: int
    stack_top: int


class ProcessObjects(msgspec.Struct, frozen=True):
    """The addresses of what one process has in kernel memory, and its image name, as far as it fits there."""

    process: int
    name: int
    first: ThreadObjects


class KernelObjects:
    """The shared regions and what is written in them. Raises machine.memory.MapError when there is no room."""

    def __init__(self, source: Frames, build: Build, cores: int) -> None:
        self.build = build
        self._memory = AddressSpace(source)
        self._cores = cores
        self._processes = 0
        self._threads = 0  # for which there is memory, besides the first ones
        self._free: deque[int] = deque()  # of it, what nobody has
        self._free_processes: deque[int] = deque()  # memory of processes that are gone
        self._last_links = self._head = PROCESS_LIST
        # The emulator loads segments with the rights of the guest's level: this page, only read, is no supervisor page.
        self._map(
            descriptors.TABLE_AT, PAGE, Protection.READ, "descriptors", supervisor=False, data=descriptors.table()
        )
        self._map(descriptors.GATE_AT, PAGE, _READ_EXECUTE, "kernel code", data=descriptors.gate())
        self._map(PROCESSOR_BASE, cores * PAGE, _READ_WRITE, "processor blocks")
        for core in range(cores):
            block = self.processor_block(core)
            prcb = block + builds.KPCR_PRCB
            self.put(block + builds.KPCR_SELF, block)
            self.put(block + builds.KPCR_CURRENT_PRCB, prcb)
            self._memory.write(prcb + builds.PRCB_NUMBER, struct.pack("<I", core))
        self._link_last(self._head, self._head)

    def _map(
        self, start: int, size: int, protection: Protection, name: str, *, supervisor: bool = True, data: bytes = b""
    ) -> None:
        backing = SharedMemory(self._memory.source)
        self._memory.map(Area(start, start + size, protection, name, backing=backing, supervisor=supervisor))
        self._memory.write(start, data)

    @property
    def size(self) -> int:
        """How many areas there are; they are never fewer than they were."""
        return len(self._memory.areas)

    def show_in(self, memory: AddressSpace) -> None:
        """Map everything that a process does not have yet in its address space. Raises machine.memory.MapError."""
        for area in self._memory.areas:
            if memory.area_at(area.start) is None:
                memory.map(area)

    @staticmethod
    def processor_block(core: int) -> int:
        """The KPCR of a core."""
        return PROCESSOR_BASE + core * PAGE

    def is_processor_block(self, address: int) -> bool:
        """Whether it is the address of a core's KPCR."""
        return address in range(PROCESSOR_BASE, PROCESSOR_BASE + self._cores * PAGE, PAGE)

    def add_text(self, text: KernelText) -> None:
        """Add the page of a kernel's code, once."""
        if self._memory.area_at(text.page) is None:
            self._map(text.page, PAGE, _READ_EXECUTE, "kernel code", data=text.code)

    def add_process(self, process_id: int, thread_id: int, name: str, name_bytes: int) -> ProcessObjects:
        """Create the objects of a process with one thread; its image name is cut to `name_bytes`, without its zero."""
        if self._free_processes:
            base = self._free_processes.popleft()
            self._memory.write(base, bytes(_PROCESS_BYTES + _THREAD_BYTES))
        else:
            base = POOL_BASE + self._processes * _POOL_STEP
            self._map(base, _PROCESS_BYTES + _THREAD_BYTES, _READ_WRITE, "process objects")
            self._processes += 1
        image_name = name.encode("utf-8", "surrogateescape")[:name_bytes]
        self.put(base + self.build.process_id, process_id)
        self._memory.write(base + self.build.process_image_name, image_name)
        threads = base + self.build.process_threads
        self._link(threads, threads, threads)
        first = self._fill_thread(base + _PROCESS_BYTES, base, process_id, thread_id)
        return ProcessObjects(base, base + self.build.process_image_name, first)

    def add_thread(self, process: ProcessObjects, process_id: int, thread_id: int) -> ThreadObjects:
        """Create the objects of one more thread, which is enlisted."""
        if not self._free:
            start = THREAD_POOL_BASE + self._threads * _THREAD_BYTES
            self._map(start, _BLOCK_THREADS * _THREAD_BYTES, _READ_WRITE, "thread objects")
            self._threads += _BLOCK_THREADS
            self._free += range(start, start + _BLOCK_THREADS * _THREAD_BYTES, _THREAD_BYTES)
        base = self._free.popleft()
        self._memory.write(base, bytes(_THREAD_BYTES))
        return self._fill_thread(base, process.process, process_id, thread_id)

    def _fill_thread(self, thread: int, process: int, process_id: int, thread_id: int) -> ThreadObjects:
        build, objects = self.build, ThreadObjects(thread, thread + _THREAD_BYTES)
        self.put(thread + builds.THREAD_PROCESS, process)
        self.put(thread + builds.THREAD_STACK_BASE, objects.stack_top)
        self.put(thread + builds.THREAD_STACK_LIMIT, thread + _STACK_LIMIT)
        self.put(thread + build.thread_client_id, process_id)
        self.put(thread + build.thread_client_id + 8, thread_id)
        head, link = process + build.process_threads, thread + build.thread_links
        last = self._get(head + 8)
        self._link(link, head, last)
        self.put(last, link)
        self.put(head + 8, link)
        return objects

    def remove_thread(self, objects: ThreadObjects) -> None:
        """A thread has ended: it is in no list any more, and its memory may become another one's."""
        link = objects.thread + self.build.thread_links
        forward, backward = self._get(link), self._get(link + 8)
        self.put(backward, forward)
        self.put(forward + 8, backward)
        if objects.thread >= THREAD_POOL_BASE:
            self._free.append(objects.thread)

    def enlist(self, objects: ProcessObjects) -> None:
        """Append a process to the list of processes."""
        self._link_last(objects.process + self.build.process_links, self._last_links)

    def rename(self, objects: ProcessObjects, name: str, name_bytes: int) -> None:
        """Give a process another image name, cut as by `add_process`."""
        image_name = name.encode("utf-8", "surrogateescape")[:name_bytes]
        self._memory.write(objects.name, image_name.ljust(name_bytes, b"\0"))

    def remove_process(self, objects: ProcessObjects) -> None:
        """A process is gone: it is not in the list any more, and its memory may become another one's."""
        links = objects.process + self.build.process_links
        forward, backward = self._get(links), self._get(links + 8)
        self.put(backward, forward)
        self.put(forward + 8, backward)
        if self._last_links == links:
            self._last_links = backward
        self._free_processes.append(objects.process)

    def set_user_blocks(self, objects: ProcessObjects, peb: int, teb: int) -> None:
        """Tell where the process keeps its PEB and its first thread's TEB."""
        self.put(objects.process + self.build.process_peb, peb)
        self.put(objects.first.thread + builds.THREAD_TEB, teb)

    def run_on(self, core: int, objects: ThreadObjects) -> int:
        """Make the thread the current one of a core; the core's KPCR."""
        block = self.processor_block(core)
        prcb = block + builds.KPCR_PRCB
        self.put(prcb + builds.PRCB_CURRENT_THREAD, objects.thread)
        self.put(prcb + builds.PRCB_RSP_BASE, objects.stack_top)
        return block

    def current_thread(self, core: int) -> int:
        """What gs:[188] is in kernel mode on a core."""
        return self._get(self.processor_block(core) + builds.KPCR_PRCB + builds.PRCB_CURRENT_THREAD)

    def put(self, address: int, value: int) -> None:
        """Write one word."""
        self._memory.write(address, struct.pack("<Q", value))

    def _get(self, address: int) -> int:
        return int.from_bytes(self._memory.read(address, 8) or b"", "little")

    def _link(self, entry: int, forward: int, backward: int) -> None:
        self.put(entry, forward)
        self.put(entry + 8, backward)

    def _link_last(self, links: int, last: int) -> None:
        self._link(links, self._head, last)
        self.put(last, links)
        self.put(self._head + 8, links)
        self._last_links = links
