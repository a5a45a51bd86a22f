"""What is opened of pseudoterminals, and where: /dev/ptmx makes a pair, /dev/pts has the slaves, /dev/tty one's own."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from typing import TYPE_CHECKING

from machine.kernel.linux import signals, terminals as tty
from machine.kernel.linux.errors import Errno, LinuxError, WouldWait
from machine.kernel.linux.memory_files import Device, Store, nothing
from machine.kernel.linux.nodes import PERMISSION_BITS, Entry, Handle, Node, Status
from machine.kernel.linux.open_files import O_NOCTTY, OpenFile
from machine.kernel.linux.paths import Place
from machine.kernel.linux.signal_frame import SignalInfo

if TYPE_CHECKING:
    from machine.kernel.linux.task import Task

DEVPTS = 0x1CD1  # what statfs calls the file system
_MASTER_NUMBER, _OWN_NUMBER, _SLAVE_MAJOR = (5, 2), (5, 0), 136
_TENTH = 100_000_000  # of a second, in ticks
_POLLERR, _POLLHUP = 8, 0x10
_PIECE = 2048  # bytes of a write that are copied at once


class TerminalFile(OpenFile):
    """One side of a pseudoterminal."""

    def __init__(self, flags: int, place: Place, terminal: tty.Terminal) -> None:
        super().__init__(flags, place)
        self.terminal = terminal
        self._asker: Task | None = None

    def asked_by(self, task: Task) -> None:
        """As `OpenFile`."""
        self._asker = task

    def set_mode(self, mode: int) -> None:
        """As `OpenFile`."""
        assert self.place is not None
        self.place.node.set_mode(mode)

    @property
    def waits_for_room(self) -> bool:
        """As `OpenFile`."""
        return True


class MasterFile(TerminalFile):
    """The side of who shows the terminal. With it the terminal ends."""

    def __init__(self, flags: int, place: Place, terminal: tty.Terminal, terminals: Terminals) -> None:
        super().__init__(flags, place, terminal)
        self._terminals = terminals
        terminal.masters += 1

    @property
    def _is_over(self) -> bool:
        return self.terminal.was_opened and not self.terminal.slaves

    def read(self, size: int) -> bytes:
        """As `OpenFile`. Raises EIO when nobody has the slave open any more."""
        terminal = self.terminal
        if not size:
            return b""
        if not terminal.output:
            if self._is_over:
                raise LinuxError(Errno.EIO)
            raise self.would_wait(lambda: bool(terminal.output) or self._is_over)
        room = size - terminal.is_packet
        data = bytes(terminal.output[:room])
        del terminal.output[:room]
        return b"\0" + data if terminal.is_packet else data

    def at_end(self, size: int, offset: int | None = None) -> bool:
        """As `OpenFile`."""
        return not self.terminal.output and not self._is_over

    def write(self, data: bytes) -> int:
        """As `OpenFile`: it is typed."""
        terminal = self.terminal
        written = terminal.type(data)
        if data and not written:
            raise self.would_wait(lambda: terminal.is_canonical or len(terminal.typed) < tty.MOST_INPUT)
        return written

    def available(self) -> int:
        """As `OpenFile`."""
        return len(self.terminal.output)

    def ready(self) -> tuple[bool, bool, bool]:
        """As `OpenFile`."""
        terminal = self.terminal
        return bool(terminal.output), terminal.is_canonical or len(terminal.typed) < tty.MOST_INPUT, self._is_over

    @property
    def news(self) -> int:
        """As `OpenFile`."""
        return self.terminal.taken

    def closed(self) -> None:
        """As `OpenFile`."""
        self.terminal.masters -= 1
        self._terminals.remove(self.terminal)


class SlaveFile(TerminalFile):
    """The side of the programs that run in it."""

    def __init__(self, flags: int, place: Place, terminal: tty.Terminal) -> None:
        super().__init__(flags, place, terminal)
        terminal.slaves += 1
        terminal.was_opened = True
        self._hangups = terminal.hangups

    @property
    def is_dead(self) -> bool:
        """Whether the terminal was hung up since it was opened."""
        return self._hangups != self.terminal.hangups

    def check_foreground(self, task: Task, number: int) -> None:
        """A group in the background stops by a signal, and asks again when it goes on. Raises EIO where it cannot."""
        terminal, own = self.terminal, task.threads
        if own.terminal is not terminal or own.process_group == terminal.foreground or not terminal.foreground:
            return
        ignores = own.action(number).handler == signals.SIG_IGN or signals.is_blocked(task, number)
        if ignores and number == tty.SIGTTOU:
            return
        group = [each for each in own.table.values() if each.process_group == own.process_group and not each.has_ended]
        parents = (each.parent for each in group if each.parent is not None)
        is_watched = any(
            parent.session == own.session and parent.process_group != own.process_group for parent in parents
        )
        if ignores or not is_watched:
            raise LinuxError(Errno.EIO)
        for each in group:
            signals.send_to_group(each, SignalInfo(number, signals.SI_KERNEL, 0))
        raise WouldWait(lambda: True)

    def read(self, size: int) -> bytes:
        """As `OpenFile`."""
        terminal = self.terminal
        if self.is_dead:
            return b""
        if self._asker is not None:
            self.check_foreground(self._asker, tty.SIGTTIN)
        if not size:
            return b""
        if terminal.has_input and (terminal.is_canonical or terminal.typed):
            return terminal.read(size)
        if terminal.is_canonical or terminal.settings.characters[tty.MIN]:
            raise self.would_wait(lambda: terminal.has_input or self.is_dead)
        if terminal.typed:
            return terminal.read(size)
        tenths, task = terminal.settings.characters[tty.TIME], self._asker
        if not tenths or task is None:
            return b""
        raise WouldWait(lambda: bool(terminal.typed) or self.is_dead, task.clock.elapsed() + tenths * _TENTH, 0)

    def write(self, data: bytes) -> int:
        """As `OpenFile`. Raises EIO when nobody shows the terminal any more."""
        terminal = self.terminal
        self.swallows(len(data))
        if self._asker is not None and terminal.settings.local & tty.TOSTOP:
            self.check_foreground(self._asker, tty.SIGTTOU)
        written = terminal.write(data)
        if data and not written:
            raise self.would_wait(self._has_room)
        return written

    def _has_room(self) -> bool:
        terminal = self.terminal
        return self.is_dead or not terminal.masters or not (terminal.is_held or len(terminal.output) >= tty.MOST_OUTPUT)

    def before_fault(self, readable: int, size: int) -> int:
        """As `OpenFile`: it takes pieces (iterate_tty_write)."""
        return readable // _PIECE * _PIECE

    def swallows(self, size: int) -> bool:
        """As `OpenFile`."""
        if self.is_dead or not self.terminal.masters:
            raise LinuxError(Errno.EIO)
        return False

    def available(self) -> int:
        """As `OpenFile`."""
        return self.terminal.readable_bytes

    def ready(self) -> tuple[bool, bool, bool]:
        """As `OpenFile`."""
        return self.is_dead or self.terminal.has_input, self._has_room(), self.is_dead or not self.terminal.masters

    @property
    def other_conditions(self) -> int:
        """As `OpenFile`."""
        return _POLLERR if self.is_dead else 0

    @property
    def news(self) -> int:
        """As `OpenFile`."""
        return self.terminal.written

    def closed(self) -> None:
        """As `OpenFile`."""
        self.terminal.slaves -= 1
        self.terminal.taken += 1


class Terminals:
    """All pseudoterminals of a machine, by number."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.rows: dict[int, tty.Terminal] = {}

    def make(self) -> tty.Terminal:
        """A new pair. Raises ENOSPC."""
        number = next(each for each in range(tty.MOST_TERMINALS + 1) if each not in self.rows)
        if number == tty.MOST_TERMINALS:
            raise LinuxError(Errno.ENOSPC)
        made = self.rows[number] = tty.Terminal(number, self._store)
        return made

    def remove(self, terminal: tty.Terminal) -> None:
        """Its master is closed."""
        del self.rows[terminal.number]
        terminal.given_up()
        terminal.hang_up()


class TerminalNode(Device):
    """What is opened as a side of a pseudoterminal."""

    file_system = DEVPTS

    def __init__(self, store: Store, terminals: Terminals, number: tuple[int, int]) -> None:
        super().__init__(store, number, nothing)
        self.terminals = terminals

    def opened(self, task: Task, flags: int, place: Place) -> OpenFile:
        """A file. Raises what opening it does."""
        raise NotImplementedError


class MasterNode(TerminalNode):
    """/dev/ptmx."""

    def __init__(self, store: Store, terminals: Terminals) -> None:
        super().__init__(store, terminals, _MASTER_NUMBER)

    def opened(self, task: Task, flags: int, place: Place) -> OpenFile:
        """As `TerminalNode`. Raises ENOSPC."""
        terminal = self.terminals.make()
        terminal.table = task.threads.table
        return MasterFile(flags, place, terminal, self.terminals)


class SlaveNode(TerminalNode):
    """An entry of /dev/pts."""

    def __init__(self, store: Store, terminals: Terminals, terminal: tty.Terminal) -> None:
        self.terminal = terminal
        super().__init__(store, terminals, (_SLAVE_MAJOR, terminal.number))

    def status(self) -> Status:
        """As `Node`."""
        terminal = self.terminal
        return Status(
            mode=stat.S_IFCHR | terminal.mode, inode=terminal.inode, special=_SLAVE_MAJOR << 8 | terminal.number,
            user=self._store.user, group=5, accessed=terminal.made, modified=terminal.made, changed=terminal.made,
        )  # fmt: skip

    def set_mode(self, mode: int) -> None:
        """As `Node`."""
        self.terminal.mode = mode & PERMISSION_BITS

    def set_times(self, accessed: int, modified: int) -> None:
        """As `Node`."""

    def opened(self, task: Task, flags: int, place: Place) -> OpenFile:
        """As `TerminalNode`: it becomes the controlling one of a session that has none. Raises EIO and EBUSY."""
        terminal = self.terminal
        if terminal.is_locked or not terminal.masters:
            raise LinuxError(Errno.EIO)
        if terminal.is_exclusive and task.user:
            raise LinuxError(Errno.EBUSY)
        file = SlaveFile(flags, place, terminal)
        own = task.threads
        if not flags & O_NOCTTY and own.session == own.pid and own.terminal is None and not terminal.session:
            take_terminal(task, file)
        return file


def take_terminal(task: Task, file: SlaveFile) -> None:
    """Let it be the controlling terminal of a session, if who has opened it may read."""
    if file.readable:
        own = task.threads
        own.terminal = file.terminal
        file.terminal.session, file.terminal.foreground = own.session, own.process_group


class OwnNode(TerminalNode):
    """/dev/tty."""

    def __init__(self, store: Store, terminals: Terminals) -> None:
        super().__init__(store, terminals, _OWN_NUMBER)

    def opened(self, task: Task, flags: int, place: Place) -> OpenFile:
        """As `TerminalNode`. Raises ENXIO where there is no controlling terminal."""
        terminal = task.threads.terminal
        if terminal is None:
            raise LinuxError(Errno.ENXIO)
        return SlaveFile(flags, place, terminal)


class TerminalDirectory(Node):
    """/dev/pts."""

    is_mount_point = True
    file_system = DEVPTS

    def __init__(self, store: Store, terminals: Terminals) -> None:
        self._store, self._terminals = store, terminals
        self._inode, self._made = store.new_inode(), store.now()
        self._master = MasterNode(store, terminals)

    @property
    def is_directory(self) -> bool:
        """As `Node`."""
        return True

    def status(self) -> Status:
        """As `Node`."""
        return Status(
            mode=stat.S_IFDIR | 0o755, inode=self._inode, links=2, user=0, group=0, accessed=self._made,
            modified=self._made, changed=self._made,
        )  # fmt: skip

    def child(self, name: bytes) -> Node:
        """As `Node`."""
        if name == b"ptmx":
            return self._master
        number = int(name) if name.isdigit() and len(name) <= 4 else -1
        if number not in self._terminals.rows or name != b"%d" % number:
            raise LinuxError(Errno.ENOENT)
        return SlaveNode(self._store, self._terminals, self._terminals.rows[number])

    def entries(self) -> Iterable[Entry]:
        """As `Node`."""
        for number, terminal in self._terminals.rows.items():
            yield Entry(b"%d" % number, terminal.inode, stat.S_IFCHR)
        yield Entry(b"ptmx", self._master.status().inode, stat.S_IFCHR)

    def make_file(self, name: bytes, mode: int) -> Node:
        """As `Node`. Raises EACCES."""
        raise LinuxError(Errno.EACCES)

    def open(self, writable: bool) -> Handle:
        """As `Node`."""
        raise LinuxError(Errno.EISDIR)
