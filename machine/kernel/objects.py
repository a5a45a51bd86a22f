"""Kernel memory that all processes share: a processor block per core, EPROCESS and ETHREAD per process, kernel stacks.

They are Windows' whatever kernel answers the system calls, because conditions and scripts look there: GS of kernel mode
is the processor block (KPCR), gs:[188] the thread, +b8 its process (events-and-commands G.1).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from machine.kernel import builds
from machine.kernel.builds import PROCESS_LIST, PROCESSOR_BASE, Build
from machine.kernel.text import KernelText
from machine.memory import PAGE, GuestMemory, Protection, Quota, Region

POOL_BASE = 0xFFFF_E001_0000_0000

_POOL_STEP = 0x1_0000
_THREAD = 0x1000  # from the process object
_STACK_LIMIT, _STACK_TOP = 0x2000, 0x8000
_READ_WRITE = Protection.READ | Protection.WRITE


@dataclass(frozen=True)
class ProcessObjects:
    """The addresses of what one process has in kernel memory, and its image name, as far as it fits there."""

    process: int
    thread: int
    name: int
    stack_top: int
    image_name: str


class KernelObjects:
    """The shared regions and what is written in them. Raises machine.memory.MapError when there is no room."""

    def __init__(self, quota: Quota, build: Build, cores: int) -> None:
        self.build = build
        self._memory = GuestMemory(quota)
        self._processes = 0
        self._last_links = self._head = PROCESS_LIST
        self._memory.map(PROCESSOR_BASE, cores * PAGE, _READ_WRITE, "processor blocks")
        for core in range(cores):
            block = self.processor_block(core)
            prcb = block + builds.KPCR_PRCB
            self.put(block + builds.KPCR_SELF, block)
            self.put(block + builds.KPCR_CURRENT_PRCB, prcb)
            self._memory.write(prcb + builds.PRCB_NUMBER, struct.pack("<I", core))
        self._link_last(self._head, self._head)

    @property
    def regions(self) -> tuple[Region, ...]:
        """Everything that is to be mapped in every process."""
        return self._memory.regions

    @staticmethod
    def processor_block(core: int) -> int:
        """The KPCR of a core."""
        return PROCESSOR_BASE + core * PAGE

    def add_text(self, text: KernelText) -> None:
        """Add the page of a kernel's code, once."""
        if self._memory.region_at(text.page) is None:
            self._memory.map(text.page, PAGE, Protection.READ | Protection.EXECUTE, "kernel code")
            self._memory.write(text.page, text.code)

    def add_process(self, process_id: int, thread_id: int, name: str, name_bytes: int) -> ProcessObjects:
        """Create the objects of a process with one thread; its image name is cut to `name_bytes`, without its zero."""
        base = POOL_BASE + self._processes * _POOL_STEP
        self._memory.map(base, _STACK_TOP, _READ_WRITE, "process objects")
        self._processes += 1
        build, thread = self.build, base + _THREAD
        image_name = name.encode("utf-8", "surrogateescape")[:name_bytes]
        objects = ProcessObjects(
            base,
            thread,
            base + build.process_image_name,
            base + _STACK_TOP,
            image_name.decode("utf-8", "surrogateescape"),
        )
        self.put(base + build.process_id, process_id)
        self._memory.write(objects.name, image_name)
        self.put(thread + builds.THREAD_PROCESS, base)
        self.put(thread + builds.THREAD_STACK_BASE, objects.stack_top)
        self.put(thread + builds.THREAD_STACK_LIMIT, base + _STACK_LIMIT)
        self.put(thread + build.thread_client_id, process_id)
        self.put(thread + build.thread_client_id + 8, thread_id)
        threads, link = base + build.process_threads, thread + build.thread_links
        self._link(threads, link, link)
        self._link(link, threads, threads)
        return objects

    def enlist(self, objects: ProcessObjects) -> None:
        """Append a process to the list of processes."""
        self._link_last(objects.process + self.build.process_links, self._last_links)

    def set_user_blocks(self, objects: ProcessObjects, peb: int, teb: int) -> None:
        """Tell where the process keeps its PEB and its thread's TEB."""
        self.put(objects.process + self.build.process_peb, peb)
        self.put(objects.thread + builds.THREAD_TEB, teb)

    def run_on(self, core: int, objects: ProcessObjects) -> int:
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
