"""The types of Linux' arguments about privileges and about the process itself: capabilities, prctl, membarrier."""

from __future__ import annotations

import struct

from hds.tracing.linux.memory import text_at
from hds.tracing.linux.structures import signal_name
from hds.tracing.linux.words import TYPES
from hds.tracing.views import View, address, flags, hexadecimal, members, named, signed
from machine.kernel.linux import constants

_LOW = 0xFFFF_FFFF
_VERSION_1 = 0x1998_0330


# --- capabilities


def _capability(word: int) -> str:
    return named(constants("capability"), word & _LOW, "CAP_???")


def _capabilities(bits: int) -> str:
    return flags({1 << number: f"1<<{name}" for number, name in constants("capability").items()}, bits)


def _header(view: View, word: int, _: str) -> str:
    """A cap_user_header_t."""
    data = view.exactly(word, 8)
    if data is None:
        return address(word)
    version, process = struct.unpack("<Ii", data)
    shown = named(constants("capability_version"), version, "_LINUX_CAPABILITY_VERSION_???")
    return members((("version", shown), ("pid", str(process))))


def _data(view: View, word: int, _: str) -> str:
    """A cap_user_data_t: of the first version one, of others two, each with half of the bits."""
    rows = 1 if view.integer(view.words[0], 4) == _VERSION_1 else 2
    data = view.exactly(word, 12 * rows)
    if data is None:
        return address(word)
    parts = list(struct.iter_unpack("<III", data))
    bits = (sum(part[at] << 32 * index for index, part in enumerate(parts)) for at in range(3))
    names = ("effective", "permitted", "inheritable")
    return members(zip(names, map(_capabilities, bits), strict=True))


# --- prctl

_ALL_WORDS = ("PR_SET_NO_NEW_PRIVS", "PR_GET_NO_NEW_PRIVS", "PR_SET_THP_DISABLE", "PR_GET_THP_DISABLE", "PR_SET_MM",
              "PR_SET_VMA", "PR_CAP_AMBIENT", "PR_MCE_KILL", "PR_MCE_KILL_GET")  # fmt: skip
_IN_DECIMAL = ("PR_SET_KEEPCAPS", "PR_SET_TIMERSLACK", "PR_SET_CHILD_SUBREAPER", "PR_SET_NO_NEW_PRIVS",
               "PR_GET_NO_NEW_PRIVS", "PR_SET_THP_DISABLE", "PR_GET_THP_DISABLE", "PR_SET_TIMING")  # fmt: skip
_NO_ARGUMENT = ("PR_GET_DUMPABLE", "PR_GET_KEEPCAPS", "PR_GET_SECCOMP", "PR_GET_TIMERSLACK", "PR_GET_SECUREBITS",
                "PR_GET_TIMING", "PR_TASK_PERF_EVENTS_DISABLE", "PR_TASK_PERF_EVENTS_ENABLE")  # fmt: skip
_FILLED = ("PR_GET_NAME", "PR_GET_PDEATHSIG", "PR_GET_CHILD_SUBREAPER", "PR_GET_TSC", "PR_GET_TID_ADDRESS")
_VALUES = {  # tables of values
    "PR_CAPBSET_READ": "capability", "PR_CAPBSET_DROP": "capability", "PR_SET_DUMPABLE": "dumpable",
    "PR_CAP_AMBIENT": "ambient", "PR_SET_VMA": "set_vma", "PR_SET_TSC": "tsc",
}  # fmt: skip
_REMARKS = {
    "capability": "CAP_???", "dumpable": "SUID_DUMP_???", "ambient": "PR_CAP_AMBIENT_???", "set_vma": "PR_SET_VMA_???",
    "tsc": "PR_TSC_???",
}  # fmt: skip
_CLEAR_ALL = 4  # PR_CAP_AMBIENT_CLEAR_ALL


def _command(view: View) -> str | None:
    return constants("prctl").get(view.words[0] & _LOW)


def _argument(view: View, word: int, _: str) -> str | None:
    command = _command(view) or ""
    if command in _NO_ARGUMENT:
        return None
    if command == "PR_SET_NAME":
        return text_at(view, word, 15)
    if command == "PR_SET_PDEATHSIG":
        return signal_name(signed(word, 32))
    if command == "PR_SET_SECUREBITS":
        return flags(constants("secure_bits"), word, "SECBIT_???")
    if command in _FILLED:
        return address(word) if view.failed else _got(view, word, command)
    if command in _VALUES:
        table = _VALUES[command]
        return named(constants(table), word, _REMARKS[table])
    return str(word) if command in _IN_DECIMAL else hexadecimal(word)


def _got(view: View, word: int, command: str) -> str:
    if command == "PR_GET_NAME":
        return text_at(view, word, 15)
    found = view.integer(word, 8 if command == "PR_GET_TID_ADDRESS" else 4)
    if found is None:
        return address(word)
    if command == "PR_GET_PDEATHSIG":
        return f"[{signal_name(found)}]"
    if command == "PR_GET_TSC":
        return f"[{named(constants('tsc'), found, 'PR_TSC_???')}]"
    return f"[{address(found) if command == 'PR_GET_TID_ADDRESS' else found}]"


def _more(view: View, word: int, place: str) -> str | None:
    """The word of this place, of commands that have it and of those without a name."""
    command = _command(view)
    if command is not None and command not in _ALL_WORDS:
        return None
    if command == "PR_SET_VMA" and place != "2":
        return str(word) if place == "3" else text_at(view, word, 80)
    if command == "PR_CAP_AMBIENT" and place == "2" and view.words[1] & _LOW != _CLEAR_ALL:
        return _capability(word)
    return str(word) if command in _IN_DECIMAL else hexadecimal(word)


def _result(view: View, word: int, _: str) -> str:
    command = _command(view)
    table = {"PR_GET_DUMPABLE": "dumpable", "PR_MCE_KILL_GET": "mce_kill"}.get(command or "")
    if table is not None:
        return f"{word} ({named(constants(table), word)})"
    if command == "PR_GET_SECUREBITS" and word:
        return f"{hexadecimal(word)} ({flags(constants('secure_bits'), word)})"
    return str(word)


# --- membarrier


def _barrier_cpu(view: View, word: int, _: str) -> str | None:
    return str(signed(word, 32)) if view.words[1] & 1 else None


def _barriers(view: View, word: int, _: str) -> str:
    is_query = view.words[0] & _LOW == 0
    return f"{hexadecimal(word)} ({flags(constants('membarrier'), word)})" if is_query and word else str(word)


TYPES |= {
    "capability_header": _header, "capability_data": _data, "prctl_argument": _argument, "prctl_more": _more,
    "prctl_result": _result, "barrier_cpu": _barrier_cpu, "barriers": _barriers,
}  # fmt: skip
