"""The system calls, one module per family; importing this package puts them into `machine.kernel.linux.abi.CALLS`.

A call is a function under `@call`: order and meaning of its arguments are those of its man page, the types of its
parameters say how they are read. The result is the call's; failure is `LinuxError`.
"""

from __future__ import annotations

from machine.kernel.linux.abi import CALLS, INTERRUPT_CALLS
from machine.kernel.linux.calls import (
    allocation,
    attributes,
    capabilities,
    children,
    confinement,
    descriptors,
    execution,
    interrupt,
    locks,
    memory,
    memory_policy,
    messages,
    opening,
    paths,
    peers,
    polling,
    posix_queues,
    prctl,
    processes,
    queues,
    resources,
    scheduling,
    segments,
    semaphores,
    signals,
    sockets,
    threads,
    time,
    timers,
    tracing,
    transfers,
    watching,
)
from machine.kernel.linux.calls.paths import AT_FDCWD
from machine.kernel.linux.calls.threads import end_thread

interrupt.take_over()

__all__ = [
    "AT_FDCWD",
    "CALLS",
    "INTERRUPT_CALLS",
    "allocation",
    "attributes",
    "capabilities",
    "children",
    "confinement",
    "descriptors",
    "end_thread",
    "execution",
    "interrupt",
    "locks",
    "memory",
    "memory_policy",
    "messages",
    "opening",
    "paths",
    "peers",
    "polling",
    "posix_queues",
    "prctl",
    "processes",
    "queues",
    "resources",
    "scheduling",
    "segments",
    "semaphores",
    "signals",
    "sockets",
    "threads",
    "time",
    "timers",
    "tracing",
    "transfers",
    "watching",
]
