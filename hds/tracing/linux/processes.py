"""Arguments of clone, futex and the scheduler, and of other calls about a process itself."""

from __future__ import annotations

from hds.tracing.linux.memory import boxed, structure
from hds.tracing.linux.structures import signal_set
from hds.tracing.linux.words import LOW, clone_flags, length, plain, typed
from hds.tracing.views import (
    View,
    address,
    hexadecimal,
    members,
    named,
)
from machine.kernel.linux import constants


@typed("new_address")
def _new_address(view: View, word: int, _: str) -> str | None:
    return address(word) if view.words[3] & 2 else None  # MREMAP_FIXED


@plain("clone")
def _clone(view: View, word: int) -> str:
    """All arguments, by their names; pointers that no flag asks for are left out."""
    rows = [("child_stack", address(view.words[1])), ("flags", clone_flags(word))]
    rows += [("parent_tid", boxed(view, view.words[2], "i"))] if word & 0x100000 else []
    rows += [("tls", address(view.words[4]))] if word & 0x80000 else []
    rows += [("child_tidptr", address(view.words[3]))] if word & 0x1200000 else []
    return ", ".join(f"{name}={value}" for name, value in rows)


@plain("sigframe")
def _sigframe(view: View, word: int) -> str:
    mask = view.integer(view.stack + 296, 8)
    return members((("mask", "[]" if mask is None else signal_set(mask)),))


@plain("arch_prctl_address")
def _arch_prctl_address(view: View, word: int) -> str:
    if constants("arch_prctl").get(view.words[0] & LOW) in ("ARCH_GET_FS", "ARCH_GET_GS") and view.result == 0:
        found = view.integer(word, 8)
        return address(word) if found is None else f"[0x{found:x}]"
    return address(word)


_WITH_TIMEOUT = ("WAIT", "LOCK_PI", "WAIT_BITSET", "WAIT_REQUEUE_PI", "LOCK_PI2")
_WITH_SECOND = ("REQUEUE", "CMP_REQUEUE", "WAKE_OP", "WAIT_REQUEUE_PI", "CMP_REQUEUE_PI")


def _operation(view: View) -> str:
    return constants("futex").get(view.words[1] & 0x7F, "").removeprefix("FUTEX_")


@plain("futex_value")
def _futex_value(view: View, word: int) -> str | None:
    return None if _operation(view) in ("LOCK_PI", "UNLOCK_PI", "TRYLOCK_PI", "LOCK_PI2") else str(word & LOW)


@plain("futex_timeout")
def _futex_timeout(view: View, word: int) -> str | None:
    operation = _operation(view)
    if operation in _WITH_TIMEOUT:
        return structure(view, word, "timespec")
    return str(word & LOW) if operation in _WITH_SECOND else None


@plain("futex_second")
def _futex_second(view: View, word: int) -> str | None:
    return address(word) if _operation(view) in _WITH_SECOND else None


@plain("futex_third")
def _futex_third(view: View, word: int) -> str | None:
    operation = _operation(view)
    if operation in ("WAIT_BITSET", "WAKE_BITSET"):
        return "FUTEX_BITSET_MATCH_ANY" if word & LOW == LOW else hexadecimal(word & LOW)
    if operation in ("CMP_REQUEUE", "CMP_REQUEUE_PI"):
        return str(word & LOW)
    return hexadecimal(word & LOW) if operation == "WAKE_OP" else None


@typed("cpu_set")
def _cpu_set(view: View, word: int, place: str) -> str:
    data = view.exactly(word, min(length(view, place), 128))
    if data is None:
        return address(word)
    bits = int.from_bytes(data, "little")
    return "[" + " ".join(str(number) for number in range(1024) if bits >> number & 1) + "]"


@plain("scheduler")
def _scheduler(view: View, word: int) -> str:
    return f"{word} ({named(constants('scheduler'), word & LOW)})"
