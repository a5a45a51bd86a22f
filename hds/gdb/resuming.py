"""The packets by which gdb lets the guest go on, or lets go of it (GDB manual, appendix E.2 and E.3)."""

from __future__ import annotations

import re

import msgspec

CONTINUE, STEP, DETACH, KILL = "continue", "step", "detach", "kill"
_STEPS_THREAD = re.compile(r";[sS][^:;]*(?::([0-9a-fA-F]{1,16}))?(?=;|$)")


class Resume(msgspec.Struct, frozen=True):
    """What gdb wants of the guest: to go on, a step of a thread (of any: None), or no more of it."""

    kind: str
    thread: int | None = None


def resumption(packet: bytes, stepped: int | None) -> Resume | None:
    """What a packet wants; None for one that lets nothing go on. `stepped` is the thread that `Hc` has chosen."""
    text = packet.decode("latin-1")
    if text.startswith("vCont;"):
        step = _STEPS_THREAD.search(text)
        if step is None:
            return Resume(CONTINUE)
        return Resume(STEP, None if step[1] is None else int(step[1], 16))
    if text[:1] in ("c", "C"):
        return Resume(CONTINUE)
    if text[:1] in ("s", "S"):
        return Resume(STEP, stepped)
    if text[:1] == "D":
        return Resume(DETACH)
    return Resume(KILL) if text[:1] == "k" or text.startswith("vKill") else None
