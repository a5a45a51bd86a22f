"""Arguments of clone, prctl, futex and the scheduler, and of other calls about a process itself."""

from __future__ import annotations

from hds.tracing.linux.memory import boxed, numbers, structure, text_at
from hds.tracing.linux.structures import signal_name, signal_set
from hds.tracing.linux.words import LOW, clone_flags, length, plain, typed
from hds.tracing.views import (
    View,
    address,
    hexadecimal,
    members,
    named,
    signed,
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


_ALL_WORDS = ("PR_SET_NO_NEW_PRIVS", "PR_GET_NO_NEW_PRIVS", "PR_SET_THP_DISABLE", "PR_GET_THP_DISABLE", "PR_SET_MM",
              "PR_SET_VMA", "PR_CAP_AMBIENT")  # fmt: skip
_IN_DECIMAL = ("PR_SET_KEEPCAPS", "PR_SET_TIMERSLACK", "PR_SET_CHILD_SUBREAPER", "PR_SET_NO_NEW_PRIVS",
               "PR_GET_NO_NEW_PRIVS", "PR_SET_THP_DISABLE", "PR_GET_THP_DISABLE")  # fmt: skip
_NO_ARGUMENT = ("PR_GET_DUMPABLE", "PR_GET_KEEPCAPS", "PR_GET_SECCOMP", "PR_GET_TIMERSLACK")


@plain("prctl_argument")
def _prctl_argument(view: View, word: int) -> str | None:
    command = constants("prctl").get(view.words[0] & LOW, "")
    if command in _NO_ARGUMENT:
        return None
    if command == "PR_SET_NAME":
        return text_at(view, word, 15)
    if command == "PR_SET_PDEATHSIG":
        return signal_name(signed(word, 32))
    if command in ("PR_GET_NAME", "PR_GET_PDEATHSIG", "PR_GET_CHILD_SUBREAPER"):
        return address(word) if view.failed else _got_by_prctl(view, word, command)
    return str(word) if command in _IN_DECIMAL else hexadecimal(word)


def _got_by_prctl(view: View, word: int, command: str) -> str:
    if command == "PR_GET_NAME":
        return text_at(view, word, 15)
    found = numbers(view, word, 1, "i")
    if found is None:
        return address(word)
    return f"[{signal_name(found[0]) if command == 'PR_GET_PDEATHSIG' else found[0]}]"


@plain("prctl_more")
def _prctl_more(view: View, word: int) -> str | None:
    """The third word and those behind it, of commands that have them and of those without a name."""
    command = constants("prctl").get(view.words[0] & LOW)
    if command is not None and command not in _ALL_WORDS:
        return None
    return str(word) if command in _IN_DECIMAL else hexadecimal(word)


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
