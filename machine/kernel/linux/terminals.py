"""Pseudoterminals (pty(7)): pairs of a master and a slave with a line discipline between them (drivers/tty/n_tty.c).

What the master is written is the slave's input, edited line by line in canonical mode and echoed; what the slave is
written comes to the master. All of it happens at once. Who may do what with a terminal: `calls/terminals.py`.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import msgspec

from machine.kernel.linux import signals
from machine.kernel.linux.signal_frame import SignalInfo

if TYPE_CHECKING:
    from machine.kernel.linux.memory_files import Store
    from machine.kernel.linux.task import ThreadGroup

MOST_TERMINALS = 4096  # /proc/sys/kernel/pty/max
MOST_OUTPUT, MOST_INPUT = 65_536, 4095  # bytes that wait for the master and for the slave
CHARGE = 2 * MOST_OUTPUT
SIGHUP, SIGINT, SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU, SIGWINCH = 1, 2, 3, 20, 21, 22, 28

# Flags of termios(3).
_ISTRIP, _INLCR, _IGNCR, _ICRNL, _IUCLC, _IXON, _IXANY, _IUTF8 = 0x20, 0x40, 0x80, 0x100, 0x200, 0x400, 0x800, 0x4000
_OPOST, _OLCUC, _ONLCR, _OCRNL, _ONOCR, _ONLRET, _TABS = 1, 2, 4, 8, 0x10, 0x20, 0x1800
_ISIG, ICANON, _ECHO, _ECHOE, _ECHOK, _ECHONL, _NOFLSH, TOSTOP = 1, 2, 8, 0x10, 0x20, 0x40, 0x80, 0x100
_ECHOCTL, _ECHOKE, _IEXTEN = 0x200, 0x800, 0x8000
_INTR, _QUIT, _ERASE, _KILL, _EOF, TIME, MIN = range(7)
_START, _STOP, _SUSP, _EOL, _REPRINT, _DISCARD, _WERASE, _LNEXT, _EOL2 = range(8, 17)
_SIGNALS = {_INTR: SIGINT, _QUIT: SIGQUIT, _SUSP: SIGTSTP}
_TAB, _NEWLINE, _RETURN, _BACKSPACE, _DELETE = 9, 10, 13, 8, 0x7F
_USUAL_CHARACTERS = b"\x03\x1c\x7f\x15\x04\0\1\0\x11\x13\x1a\0\x12\x0f\x17\x16\0\0\0"


class Settings(msgspec.Struct, frozen=True):
    """A struct termios2; `characters` are c_cc."""

    input: int = _ICRNL | _IXON
    output: int = _OPOST | _ONLCR
    control: int = 0xBF  # B38400, CS8, CREAD
    local: int = _ISIG | ICANON | _ECHO | _ECHOE | _ECHOK | _ECHOCTL | _ECHOKE | _IEXTEN
    line: int = 0
    characters: bytes = _USUAL_CHARACTERS
    speeds: tuple[int, int] = (38_400, 38_400)


class Terminal:
    """One pair. `session` is whose controlling terminal it is (0: nobody's), `foreground` the group that it obeys.

    `lines` are what a read of canonical mode gets, one each, an empty one for the end of input; `typed` is the line
    that is being edited, or in other modes what is there. `output` waits for the master.
    """

    def __init__(self, number: int, store: Store) -> None:
        self.number, self._store = number, store
        store.take(CHARGE)
        self.inode = store.new_inode()
        self.made = store.now()
        self.mode = 0o620
        self.settings = Settings()
        self.size = (0, 0, 0, 0)
        self.is_locked, self.is_packet, self.is_exclusive = True, False, False
        self.session = self.foreground = 0
        self.table: dict[int, ThreadGroup] = {}
        self.lines: deque[bytes] = deque()
        self.typed = bytearray()
        self.output = bytearray()
        self.is_held = False  # by VSTOP
        self.masters = self.slaves = 0  # that are open
        self.was_opened = False  # the slave
        self.hangups = 0  # slaves that were opened before are dead
        self.written = self.taken = 0  # how often there was something new for the slave, or for the master
        self._column = self._line_start = 0
        self._is_literal = False

    def given_up(self) -> None:
        """The master is closed."""
        self._store.give_back(CHARGE)

    # --- who it belongs to

    def signal(self, group: int, number: int) -> None:
        """Raise a signal of the kernel's for a process group."""
        for each in [one for one in self.table.values() if one.process_group == group and not one.has_ended]:
            signals.send_to_group(each, SignalInfo(number, signals.SI_KERNEL, 0))

    def hang_up(self) -> None:
        """Nobody's it is any more: its session hears of it, and slaves that are open are dead."""
        self.hangups += 1
        for each in list(self.table.values()):
            if each.terminal is self:
                each.terminal = None
                if each.session == each.pid and not each.has_ended:
                    for number in (SIGHUP, signals.SIGCONT):
                        signals.send_to_group(each, SignalInfo(number, signals.SI_KERNEL, 0))
        if self.foreground:
            self.signal(self.foreground, SIGHUP)
        self.session = self.foreground = 0
        self.written += 1

    def abandon(self, leader: ThreadGroup) -> None:
        """The leader of its session has ended: it is nobody's then, and what is in the foreground is told."""
        foreground, self.session, self.foreground = self.foreground, 0, 0
        for each in self.table.values():
            if each.session == leader.session:
                each.terminal = None
        self.signal(foreground, SIGHUP)

    def resize(self, size: tuple[int, int, int, int]) -> None:
        """TIOCSWINSZ: the foreground group is told of another size."""
        if size != self.size:
            self.size = size
            if self.foreground:
                self.signal(self.foreground, SIGWINCH)

    def set(self, settings: Settings) -> None:
        """Other settings: what is there is a line, or no line any more, with another mode."""
        was, is_now = self.is_canonical, bool(settings.local & ICANON)
        self.settings = settings
        if was and not is_now:
            self.typed[:0] = b"".join(self.lines)
            self.lines.clear()
        if self.is_held and not settings.input & _IXON:
            self.is_held = False

    @property
    def is_canonical(self) -> bool:
        """Whether input is read line by line."""
        return bool(self.settings.local & ICANON)

    # --- the slave's side

    @property
    def has_input(self) -> bool:
        """Whether a read would not wait."""
        if self.is_canonical:
            return bool(self.lines)
        least = 1 if self.settings.characters[TIME] else self.settings.characters[MIN]
        return len(self.typed) >= max(1, least)

    @property
    def readable_bytes(self) -> int:
        """What FIONREAD tells."""
        return sum(map(len, self.lines)) if self.is_canonical else len(self.typed)

    def read(self, size: int) -> bytes:
        """Of a line, or of what is there."""
        if not self.is_canonical:
            data = bytes(self.typed[:size])
            del self.typed[:size]
            return data
        line = self.lines.popleft()
        if len(line) > size:
            self.lines.appendleft(line[size:])
        return line[:size]

    def write(self, data: bytes) -> int:
        """From the slave to the master: how many bytes there was room for."""
        before = self.taken
        for count, byte in enumerate(data):
            if self.is_held or len(self.output) >= MOST_OUTPUT:
                return count
            self._show(byte)
        self.taken = before + 1
        return len(data)

    def _show(self, byte: int) -> None:
        """One byte to the master, as the output flags say (do_output_char)."""
        output, flags = self.output, self.settings.output
        if not flags & _OPOST:
            output.append(byte)
            return
        if byte == _NEWLINE:
            if flags & _ONLCR:
                output += b"\r\n"
                self._column = self._line_start = 0
                return
            if flags & _ONLRET:
                self._column = 0
            self._line_start = self._column
        elif byte == _RETURN:
            if flags & _ONOCR and not self._column:
                return
            if flags & _OCRNL:
                byte = _NEWLINE
                self._column = 0 if flags & _ONLRET else self._column
            else:
                self._column = self._line_start = 0
        elif byte == _TAB:
            spaces = 8 - (self._column & 7)
            self._column += spaces
            if flags & _TABS == _TABS:
                output += b" " * spaces
                return
        elif byte == _BACKSPACE:
            self._column = max(0, self._column - 1)
        elif byte >= 0x20 and byte != _DELETE:
            if flags & _OLCUC and 0x61 <= byte <= 0x7A:
                byte -= 0x20
            if not (self.settings.input & _IUTF8 and byte & 0xC0 == 0x80):
                self._column += 1
        output.append(byte)

    # --- the master's side

    def type(self, data: bytes) -> int:
        """From the master to the slave: how many bytes there was room for."""
        for count, byte in enumerate(data):
            if not self.is_canonical and len(self.typed) >= MOST_INPUT:
                return count
            self._type(byte)
        self.written += 1
        return len(data)

    def _is(self, byte: int, which: int) -> bool:
        return byte != 0 and self.settings.characters[which] == byte

    def _type(self, byte: int) -> None:
        """One byte as somebody types it (n_tty_receive_char)."""
        settings = self.settings
        if settings.input & _ISTRIP:
            byte &= 0x7F
        if settings.input & _IUCLC and settings.local & _IEXTEN and 0x41 <= byte <= 0x5A:
            byte += 0x20
        if self._is_literal:
            self._is_literal = False
            self._put(byte, echo=True)
            return
        if settings.input & _IXON and (self._is(byte, _START) or self._is(byte, _STOP)):
            self.is_held = self._is(byte, _STOP)
            return
        if settings.local & _ISIG and self._interrupts(byte):
            return
        if self.is_held and settings.input & _IXON and settings.input & _IXANY:
            self.is_held = False
        if byte == _RETURN:
            if settings.input & _IGNCR:
                return
            if settings.input & _ICRNL:
                byte = _NEWLINE
        elif byte == _NEWLINE and settings.input & _INLCR:
            byte = _RETURN
        if not (self.is_canonical and self._edits(byte)):
            self._put(byte, echo=True)

    def _interrupts(self, byte: int) -> bool:
        number = next((number for which, number in _SIGNALS.items() if self._is(byte, which)), None)
        if number is None:
            return False
        if not self.settings.local & _NOFLSH:
            self.flush_input()
            self.output.clear()
        if self.foreground:
            self.signal(self.foreground, number)
        self.is_held = False
        if self.settings.local & _ECHO:
            self._echo(byte)
        return True

    def flush_input(self) -> None:
        """What was typed is lost."""
        self.lines.clear()
        self.typed.clear()

    def _put(self, byte: int, *, echo: bool) -> None:
        if self.is_canonical and len(self.typed) + sum(map(len, self.lines)) >= MOST_INPUT:
            return
        if echo and self.settings.local & _ECHO:
            if not self.typed:
                self._line_start = self._column
            self._echo(byte)
        self.typed.append(byte)

    def _edits(self, byte: int) -> bool:
        """Whether a byte means something to the line that is being edited."""
        local = self.settings.local
        extended = bool(local & _IEXTEN)
        if self._is(byte, _ERASE) or self._is(byte, _KILL) or (extended and self._is(byte, _WERASE)):
            self._erase(byte)
        elif extended and self._is(byte, _LNEXT):
            self._is_literal = True
            if local & _ECHO and local & _ECHOCTL:
                self._echo_raw(b"^\b")
        elif extended and local & _ECHO and self._is(byte, _REPRINT):
            self._echo(byte)
            self._echo_raw(b"\n")
            for each in bytes(self.typed):
                self._echo(each)
        elif byte == _NEWLINE:
            if local & (_ECHO | _ECHONL):
                self._echo_raw(b"\n")
            self._end_line(b"\n")
        elif self._is(byte, _EOF):
            self._end_line(b"")
        elif self._is(byte, _EOL) or (extended and self._is(byte, _EOL2)):
            if local & _ECHO:
                self._echo(byte)
            self._end_line(bytes([byte]))
        else:
            return False
        return True

    def _end_line(self, end: bytes) -> None:
        self.lines.append(bytes(self.typed) + end)
        self.typed.clear()

    def _echo(self, byte: int) -> None:
        """Control characters are shown as ^X, if that is wanted."""
        is_control = (byte < 0x20 or byte == _DELETE) and byte not in (_TAB, _NEWLINE)
        if is_control and self.settings.local & _ECHOCTL:
            self._echo_raw(bytes([ord("^"), byte ^ 0x40]))
        else:
            self._echo_raw(bytes([byte]))

    def _echo_raw(self, data: bytes) -> None:
        for byte in data:
            if len(self.output) < MOST_OUTPUT:
                self._show(byte)
        self.taken += 1

    def _erase(self, byte: int) -> None:
        """VERASE, VWERASE and VKILL (eraser)."""
        local, typed = self.settings.local, self.typed
        if not typed:
            return
        if self._is(byte, _KILL):
            if not local & _ECHO:
                typed.clear()
                return
            if not (local & _ECHOK and local & _ECHOKE and local & _ECHOE):
                typed.clear()
                self._echo(byte)
                if local & _ECHOK:
                    self._echo_raw(b"\n")
                return
        seen_word = False
        while typed:
            size, is_word = 1, self._is(byte, _WERASE)
            while self.settings.input & _IUTF8 and size < len(typed) and typed[-size] & 0xC0 == 0x80:
                size += 1
            last = typed[-size]
            if is_word:
                if chr(last).isalnum() or last == ord("_"):
                    seen_word = True
                elif seen_word:
                    break
            del typed[-size:]
            if local & _ECHO:
                self._show_erased(byte, last)
            if self._is(byte, _ERASE):
                break

    def _show_erased(self, byte: int, erased: int) -> None:
        local = self.settings.local
        if self._is(byte, _ERASE) and not local & _ECHOE:
            self._echo(byte)
        elif erased == _TAB:
            before = self._line_start
            for each in self.typed:
                if each == _TAB:
                    before += 8 - (before & 7)
                elif each < 0x20 or each == _DELETE:
                    before += 2 * bool(local & _ECHOCTL)
                elif not (self.settings.input & _IUTF8 and each & 0xC0 == 0x80):
                    before += 1
            self._echo_raw(b"\b" * max(0, self._column - before))
        else:
            is_control = erased < 0x20 or erased == _DELETE
            if is_control and local & _ECHOCTL:
                self._echo_raw(b"\b \b")
            if not is_control or local & _ECHOCTL:
                self._echo_raw(b"\b \b")
