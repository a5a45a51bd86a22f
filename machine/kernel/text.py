"""The kernel's code: the page at LSTAR, with a system-call handler that a processor can execute.

Nothing of it is executed as long as nobody can notice: the model answers within the SYSCALL. It is executed when a
hidden breakpoint lies in its page (`!epthook LSTAR+3`), and its SYSRET when a `!sysret` event waits for it.
"""

from __future__ import annotations

from dataclasses import dataclass

from machine.memory import PAGE

# swapgs; mov gs:[10h], rsp; mov rsp, gs:[1a8h] -- GS is the processor block now, rsp the kernel stack
_PROLOGUE = bytes.fromhex("0f01f8 65488924251000 0000 65488b2425a8010000")
_SERVICE = bytes.fromhex("0f1f00")  # nop: the model answers here
# mov rsp, gs:[10h]; swapgs
_EPILOGUE = bytes.fromhex("65488b242510000000 0f01f8")
_SYSRET = bytes.fromhex("480f07")
_FILLER = b"\xcc"


@dataclass(frozen=True)
class KernelText:
    """Where the parts of the handler lie. `entry` is LSTAR; `page` has `code`."""

    entry: int

    @property
    def page(self) -> int:
        """The address of the page."""
        return self.entry & -PAGE

    @property
    def service(self) -> int:
        """The instruction at which the system-call model answers."""
        return self.entry + len(_PROLOGUE)

    @property
    def sysret(self) -> int:
        """The SYSRET that returns to user mode; every register but RIP, CS and SS has the user's value there."""
        return self.service + len(_SERVICE) + len(_EPILOGUE)

    @property
    def code(self) -> bytes:
        """The bytes of the page."""
        handler = _PROLOGUE + _SERVICE + _EPILOGUE + _SYSRET
        before = self.entry - self.page
        return _FILLER * before + handler + _FILLER * (PAGE - before - len(handler))
