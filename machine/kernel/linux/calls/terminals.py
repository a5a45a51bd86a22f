"""What ioctl(2) does with terminals (ioctl_tty(2)): a function for each request."""

from __future__ import annotations

import struct
from collections.abc import Callable

from machine.kernel.linux.errors import Errno, LinuxError, Refused
from machine.kernel.linux.open_files import O_NOCTTY
from machine.kernel.linux.paths import Place
from machine.kernel.linux.signal_frame import SignalInfo
from machine.kernel.linux.signals import SI_KERNEL, SIGCONT, SIGNALS, send_to_group
from machine.kernel.linux.task import Task
from machine.kernel.linux.terminal_files import MasterFile, SlaveFile, SlaveNode, TerminalFile, take_terminal
from machine.kernel.linux.terminals import SIGHUP, SIGTTOU, Settings

_OLD, _NEW = struct.Struct("<4IB19s"), struct.Struct("<4IB19sII")  # struct termios and termios2
_INPUT, _OUTPUT, _BOTH = range(3)  # TCIFLUSH, TCOFLUSH, TCIOFLUSH
_OFF, _ON = 0, 1  # TCOOFF, TCOON


def terminal_request(task: Task, file: TerminalFile, request: int, argument: int) -> int:
    """Raises ENOTTY for a request that no terminal knows."""
    if isinstance(file, SlaveFile) and file.is_dead:
        raise LinuxError(Errno.ENOTTY if request == _SET_GROUP else Errno.EIO)
    if request in _OF_MASTERS:
        if not isinstance(file, MasterFile):
            raise LinuxError(Errno.ENOTTY)
        return _OF_MASTERS[request](task, file, argument)
    if request not in _REQUESTS:
        raise Refused(Errno.ENOTTY)
    return _REQUESTS[request](task, file, argument)


def _check_change(task: Task, file: TerminalFile) -> None:
    """Only the foreground group changes a terminal (tty_check_change)."""
    if isinstance(file, SlaveFile):
        file.check_foreground(task, SIGTTOU)


# --- settings


def _get(task: Task, file: TerminalFile, address: int) -> int:
    return _tell(task, file, address, _OLD)


def _get_new(task: Task, file: TerminalFile, address: int) -> int:
    return _tell(task, file, address, _NEW)


def _tell(task: Task, file: TerminalFile, address: int, layout: struct.Struct) -> int:
    present = file.terminal.settings
    row = (present.input, present.output, present.control, present.local, present.line, present.characters)
    task.space.store(address, layout.pack(*row, *(present.speeds if layout is _NEW else ())))
    return 0


def _setter(layout: struct.Struct, *, flushes: bool = False) -> Callable[[Task, TerminalFile, int], int]:
    def change(task: Task, file: TerminalFile, address: int) -> int:
        _check_change(task, file)
        words = layout.unpack(task.space.load(address, layout.size))
        if flushes:
            file.terminal.flush_input()
        speeds = (words[6], words[7]) if layout is _NEW else file.terminal.settings.speeds
        file.terminal.set(Settings(words[0], words[1], words[2], words[3], words[4], words[5], speeds))
        return 0

    return change


def _get_size(task: Task, file: TerminalFile, address: int) -> int:
    task.space.store_words(address, "4H", *file.terminal.size)
    return 0


def _set_size(task: Task, file: TerminalFile, address: int) -> int:
    rows, columns, width, height = task.space.load_words(address, "4H")
    file.terminal.resize((rows, columns, width, height))
    return 0


# --- sessions and groups


def _is_own(task: Task, file: TerminalFile) -> bool:
    return task.threads.terminal is file.terminal


def _get_group(task: Task, file: TerminalFile, address: int) -> int:
    if isinstance(file, SlaveFile) and not _is_own(task, file):
        raise LinuxError(Errno.ENOTTY)
    task.space.store_words(address, "i", file.terminal.foreground)
    return 0


def _set_group(task: Task, file: TerminalFile, address: int) -> int:
    try:
        _check_change(task, file)
    except LinuxError as error:
        raise LinuxError(Errno.ENOTTY) if error.number is Errno.EIO else error from None
    (wanted,) = task.space.load_words(address, "i")
    if wanted < 0:
        raise LinuxError(Errno.EINVAL)
    own = task.threads
    if not _is_own(task, file) or file.terminal.session != own.session:
        raise LinuxError(Errno.ENOTTY)
    members = [each for each in own.table.values() if each.process_group == wanted]
    if not members:
        raise LinuxError(Errno.ESRCH)
    if members[0].session != own.session:
        raise LinuxError(Errno.EPERM)
    file.terminal.foreground = wanted
    return 0


def _get_session(task: Task, file: TerminalFile, address: int) -> int:
    if not file.terminal.session or (isinstance(file, SlaveFile) and not _is_own(task, file)):
        raise LinuxError(Errno.ENOTTY)
    task.space.store_words(address, "i", file.terminal.session)
    return 0


def _take(task: Task, file: TerminalFile, steals: int) -> int:
    own = task.threads
    is_leader = own.session == own.pid
    if not isinstance(file, SlaveFile):
        raise LinuxError(Errno.EIO)
    if is_leader and file.terminal.session == own.session:
        return 0
    if not is_leader or own.terminal is not None or file.terminal.session or not file.readable:
        raise LinuxError(Errno.EPERM)
    take_terminal(task, file)
    return 0


def _leave(task: Task, file: TerminalFile, argument: int) -> int:
    """TIOCNOTTY: of the leader of a session, for all of it."""
    own, terminal = task.threads, file.terminal
    if not _is_own(task, file):
        raise LinuxError(Errno.ENOTTY)
    own.terminal = None
    if own.session == own.pid:
        foreground, terminal.session, terminal.foreground = terminal.foreground, 0, 0
        for each in own.table.values():
            if each.session == own.session:
                each.terminal = None
        for number in (SIGHUP, SIGCONT):
            terminal.signal(foreground, number)
    return 0


# --- what waits


def _flush(task: Task, file: TerminalFile, which: int) -> int:
    _check_change(task, file)
    if which not in (_INPUT, _OUTPUT, _BOTH):
        raise LinuxError(Errno.EINVAL)
    is_input = which in (_INPUT, _BOTH) if isinstance(file, SlaveFile) else which in (_OUTPUT, _BOTH)
    is_output = which in (_OUTPUT, _BOTH) if isinstance(file, SlaveFile) else which in (_INPUT, _BOTH)
    if is_input:
        file.terminal.flush_input()
    if is_output:
        file.terminal.output.clear()
    return 0


def _flow(task: Task, file: TerminalFile, action: int) -> int:
    _check_change(task, file)
    if not 0 <= action <= 3:
        raise LinuxError(Errno.EINVAL)
    if action in (_OFF, _ON):
        file.terminal.is_held = action == _OFF
    return 0


def _drain(task: Task, file: TerminalFile, argument: int) -> int:
    _check_change(task, file)
    return 0


def _waiting_output(task: Task, file: TerminalFile, address: int) -> int:
    task.space.store_words(address, "i", 0)
    return 0


def _exclusive(wanted: bool) -> Callable[[Task, TerminalFile, int], int]:
    def change(task: Task, file: TerminalFile, argument: int) -> int:
        file.terminal.is_exclusive = wanted
        return 0

    return change


def _discipline(task: Task, file: TerminalFile, address: int) -> int:
    task.space.store_words(address, "i", 0)
    return 0


# --- of masters


def _number(task: Task, file: MasterFile, address: int) -> int:
    task.space.store_words(address, "I", file.terminal.number)
    return 0


def _lock(task: Task, file: MasterFile, address: int) -> int:
    file.terminal.is_locked = bool(task.space.load_words(address, "i")[0])
    return 0


def _is_locked(task: Task, file: MasterFile, address: int) -> int:
    task.space.store_words(address, "i", file.terminal.is_locked)
    return 0


def _set_packets(task: Task, file: MasterFile, address: int) -> int:
    file.terminal.is_packet = bool(task.space.load_words(address, "i")[0])
    return 0


def _packets(task: Task, file: MasterFile, address: int) -> int:
    task.space.store_words(address, "i", file.terminal.is_packet)
    return 0


def _send_signal(task: Task, file: MasterFile, number: int) -> int:
    if not 1 <= number <= SIGNALS:
        raise LinuxError(Errno.EINVAL)
    foreground = file.terminal.foreground
    for each in [each for each in task.threads.table.values() if each.process_group == foreground]:
        send_to_group(each, SignalInfo(number, SI_KERNEL, 0))
    return 0


def _peer(task: Task, file: MasterFile, flags: int) -> int:
    """TIOCGPTPEER: the slave, wherever /dev/pts is."""
    assert file.place is not None
    assert file.place.parent is not None
    devices = file.place.parent
    folder = devices if file.place.name == b"ptmx" and devices.name == b"pts" else None
    if folder is None:
        folder = Place(devices.node.child(b"pts"), devices, b"pts")
    name = b"%d" % file.terminal.number
    node = folder.node.child(name)
    assert isinstance(node, SlaveNode)
    return task.files.add(node.opened(task, flags | O_NOCTTY, Place(node, folder, name)), bool(flags & 0o2000000))


_SET_GROUP = 0x5410
_REQUESTS: dict[int, Callable[[Task, TerminalFile, int], int]] = {
    0x5401: _get, 0x5402: _setter(_OLD), 0x5403: _setter(_OLD), 0x5404: _setter(_OLD, flushes=True),
    0x802C542A: _get_new, 0x402C542B: _setter(_NEW), 0x402C542C: _setter(_NEW),
    0x402C542D: _setter(_NEW, flushes=True), 0x5409: _drain, 0x5425: _drain, 0x540A: _flow, 0x540B: _flush,
    0x540C: _exclusive(True), 0x540D: _exclusive(False), 0x540E: _take, 0x540F: _get_group, _SET_GROUP: _set_group,
    0x5411: _waiting_output, 0x5413: _get_size, 0x5414: _set_size, 0x5422: _leave, 0x5424: _discipline,
    0x5429: _get_session,
}  # fmt: skip
_OF_MASTERS: dict[int, Callable[[Task, MasterFile, int], int]] = {
    0x80045430: _number, 0x40045431: _lock, 0x80045439: _is_locked, 0x5420: _set_packets, 0x80045438: _packets,
    0x40045436: _send_signal, 0x5441: _peer,
}  # fmt: skip
