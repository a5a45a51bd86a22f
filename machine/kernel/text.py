"""The kernel's code: the page at LSTAR, with a system-call handler that a processor can execute.

Nothing of it is executed as long as nobody can notice: the model answers within the SYSCALL. It is executed when a
hidden breakpoint lies in its page (`!epthook LSTAR+3`), and its SYSRET when a `!sysret` event waits for it.
"""

from __future__ import annotations

import msgspec

from vm import PAGE

# swapgs; mov gs:[10h], rsp; mov rsp, gs:[1a8h]; push qword gs:[10h] -- GS is the processor block now, rsp the kernel
# stack, which keeps the user's: another thread may enter the kernel on this core before this one leaves it
_PROLOGUE = bytes.fromhex("0f01f8 65488924251000 0000 65488b2425a8010000 65ff342510000000")
_SERVICE = bytes.fromhex("0f1f00")  # nop: the model answers here
# pop rsp; swapgs
_EPILOGUE = bytes.fromhex("5c 0f01f8")
_SYSRET = bytes.fromhex("480f07")
_RETURN = b"\xc3"
_FILLER = b"\xcc"

# Calls the service of the number in rax, whose first argument comes in r10 and is expected in rcx, as in Windows:
# push rcx; mov rcx, r10; push rax; push rax; mov eax, eax; cmp eax, MOST; jbe +5; mov eax, MOST; shl rax, 3;
# add rax, [rip + TABLE]; mov [rsp + 8], rax; pop rax; call [rsp]; add rsp, 8; pop rcx
_MOST = 0x7F
_DISPATCH = bytes.fromhex(
    "51 4c89d1 50 50 89c0 3d7f000000 7605 b87f000000 48c1e003 48030500000000 4889442408 58 ff1424 4883c408 59"
)
_TABLE_AT = _DISPATCH.index(bytes.fromhex("480305")) + 3
_SERVICES = 0x800  # of the page: a jump of eight bytes for each number up to _MOST, the last one for all that follow


class KernelText(msgspec.Struct, frozen=True):
    """Where the parts of the handler lie. `entry` is LSTAR; `page` has `code`.

    With `has_services` the handler calls a service for each number, as Windows does, and the model answers there.
    """

    entry: int
    has_services: bool = False

    @property
    def page(self) -> int:
        """The address of the page."""
        return self.entry & -PAGE

    @property
    def service(self) -> int:
        """The instruction at which the system-call model answers."""
        return self.sysret + len(_SYSRET) if self.has_services else self.entry + len(_PROLOGUE)

    @property
    def sysret(self) -> int:
        """The SYSRET that returns to user mode; every register but RIP, CS and SS has the user's value there."""
        body = _DISPATCH if self.has_services else _SERVICE
        return self.entry + len(_PROLOGUE) + len(body) + len(_EPILOGUE)

    def service_of(self, number: int) -> int:
        """Where the service of a system call begins; numbers beyond those of the stand-in share one."""
        return self.page + _SERVICES + 8 * min(number, _MOST)

    @property
    def code(self) -> bytes:
        """The bytes of the page."""
        before = self.entry - self.page
        handler = _PROLOGUE + (self._dispatch() if self.has_services else _SERVICE) + _EPILOGUE + _SYSRET
        page = bytearray(_FILLER * PAGE)
        page[before : before + len(handler)] = handler
        if self.has_services:
            at = self.service - self.page
            answer = _SERVICE + _RETURN + self.service_of(0).to_bytes(8, "little")
            page[at : at + len(answer)] = answer
            for number in range(_MOST + 1):
                start = self.service_of(number)
                jump = b"\xe9" + (self.service - (start + 5)).to_bytes(4, "little", signed=True)
                page[start - self.page : start - self.page + len(jump)] = jump
        return bytes(page)

    def _dispatch(self) -> bytes:
        table = self.service + len(_SERVICE) + len(_RETURN)
        behind = self.entry + len(_PROLOGUE) + _TABLE_AT + 4
        return _DISPATCH[:_TABLE_AT] + (table - behind).to_bytes(4, "little") + _DISPATCH[_TABLE_AT + 4 :]
