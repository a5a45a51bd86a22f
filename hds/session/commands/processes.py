"""Processes, threads, programs, modules and symbols (events-and-commands E.7)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from hds.session.commands.handler import Handler, address, current_process, incorrect_use, number, process_of, split
from hds.session.refused import CommandFailed
from hds.symbols import readable
from machine.debugger import a88
from machine.loaders import LoadError
from vm.facts.errors import ErrorNumber
from vm.facts.registers import STORAGE_INDEX

if TYPE_CHECKING:
    from hds.session.scripts import Prepared
    from hds.session.session import Session
    from lang import Place
    from lang.commands import Command
    from machine.schedule import Process, Thread

RULE = "=" * 76
_NAME_BYTES = 15
_CR3 = STORAGE_INDEX["cr3"]
_FARTHEST_IN_IMAGE = 0x400_0000  # bytes between two symbols of one module

_NO_PROCESS = ErrorNumber.PROCESS_INVALID_PARAMETER
_NO_THREAD = ErrorNumber.THREAD_INVALID_PARAMETER


def process(session: Session, command: Command, prepared: Prepared) -> None:
    """`.process`, `.process list`, `.process pid P`: show, list, switch at once."""
    words = [token.lower for token in command.tokens]
    if not words:
        session.show(_process_lines(current_process(session)))
    elif words == ["list"]:
        session.show("".join(_list_row(item) for item in session.machine.processes))
    elif len(words) == 2 and words[0] == "pid":
        wanted = number(command.tokens[1], 0, "process id")
        _switch(session, (item for item in session.machine.processes if item.pid == wanted))
    elif len(words) == 2 and words[0] == "process":
        place = address(session, command.tokens[1])
        found = (item for item in session.machine.processes if item.objects.process == place)
        _switch(session, found)
    else:
        raise incorrect_use(command)


def thread(session: Session, command: Command, prepared: Prepared) -> None:
    """`.thread`, `.thread list [process EPROCESS]`, `.thread tid T`: show the running one, list, switch at once."""
    words = [token.lower for token in command.tokens]
    if not words:
        item = current_process(session)
        place = a88(item.thread.objects.thread)
        head = f"thread id: {item.tid:x} (pid: {item.pid:x})\nthread (_ETHREAD): {place}\n"
        session.show(head + _process_lines(item).partition("\n")[2])
    elif words[:1] == ["list"] and (len(words) == 1 or words[1:-1] == ["process"]):
        wanted = address(session, command.tokens[2]) if len(words) == 3 else None
        chosen = [item for item in session.machine.processes if wanted in (None, item.objects.process)]
        if not chosen and wanted is not None:
            raise CommandFailed(_NO_PROCESS.err())
        session.show("".join(_threads_of(item) for item in chosen))
    elif len(words) == 2 and words[0] == "tid":
        number_ = number(command.tokens[1], 0, "thread id")
        _switch_thread(session, lambda item: item.tid == number_)
    elif len(words) == 2 and words[0] == "thread":
        place_ = address(session, command.tokens[1])
        _switch_thread(session, lambda item: item.objects.thread == place_)
    else:
        raise incorrect_use(command)


def _threads_of(item: Process) -> str:
    rows = (f"\tTHREAD\t{each.objects.thread:x} ({item.pid:x}.{each.tid:x})\n" for each in item.threads)
    return f"PROCESS\t{item.objects.process:x}\tIMAGE\t{_image_name(item)}\n" + "".join(rows)


def _switch_thread(session: Session, is_wanted: Callable[[Thread], bool]) -> None:
    found = (each for item in session.machine.processes for each in item.threads if is_wanted(each))
    target = next((each for each in found if not each.ended), None)
    if target is None:
        raise CommandFailed(_NO_THREAD.err())
    switch_to(session, target.process, target)
    _say_switched(session, "thread", target.process)


def _process_lines(item: Process) -> str:
    return (
        f"process id: {item.pid:x}\n"
        f"process (_EPROCESS): {a88(item.objects.process)}\n"
        f"process name (16-Byte): {_image_name(item)}\n"
    )


def _image_name(item: Process) -> str:
    """What its EPROCESS has for a name at this moment: 15 bytes at most."""
    field = item.cpu.memory.read(item.objects.name, _NAME_BYTES) or b""
    return field.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _list_row(item: Process) -> str:
    directory = item.cpu.registers.read(_CR3)
    return (
        f"PROCESS\t{item.objects.process:x}\n"
        f"\tProcess Id: {item.pid:04x}\tDirBase (Kernel Cr3): {directory:016x}\tImage: {_image_name(item)}\n\n"
    )


def _switch(session: Session, found: Iterator[Process]) -> None:
    target = next(found, None)
    if target is None:
        raise CommandFailed(_NO_PROCESS.err())
    switch_to(session, target)
    _say_switched(session, "process", target)


def _say_switched(session: Session, what: str, target: Process) -> None:
    session.show(f"switched to the specified {what}\n{session.execution.instruction_line(target)}\n")


def switch_to(session: Session, target: Process, thread: Thread | None = None) -> None:
    """Make a process the one that commands act on, and that is debugged if it is; a thread of it goes on first.

    Raises CommandFailed where an event holds another thread of it.
    """
    if thread is not None and thread is not target.thread and session.execution.held is not None:
        raise CommandFailed("err, an event holds the program here; `g`, `t` or `p` lets it finish first")
    session.machine.switch(target, thread)
    if target in session.debugged:
        session.debugged.remove(target)
        session.debugged.append(target)


# --- programs


def start(session: Session, command: Command, prepared: Prepared) -> None:
    """`.start path FILE [ARGUMENTS]`: load a program, which waits at its entry point."""
    tokens = command.tokens
    if len(tokens) < 2 or tokens[0].lower != "path":
        raise incorrect_use(command)
    session.started = (session.locate(tokens[1].text), tuple(token.text for token in tokens[2:]))
    _load(session)


def restart(session: Session, command: Command, prepared: Prepared) -> None:
    """`.restart`: end the program of the last `.start` and load it again."""
    if command.tokens:
        raise incorrect_use(command)
    if session.started is None:
        raise CommandFailed("err, nothing to restart")
    current = session.process
    if current is not None and current.alive:
        current.exit(0)
    loaded = _load(session)
    if current is not None:
        session.follow(current, loaded)


def _load(session: Session) -> Process:
    assert session.started is not None
    path, arguments = session.started
    try:
        loaded = session.load(path, arguments=arguments)
    except LoadError as error:
        raise CommandFailed(f"err, {error}" + (f" ({error.hint})" if error.hint else "")) from None
    session.debugged.append(loaded)
    session.reach_entry()
    session.show(f"process id: {loaded.pid:x}\n{session.execution.instruction_line(loaded)}\n")
    return loaded


def kill(session: Session, command: Command, prepared: Prepared) -> None:
    """`.kill`: end the current program."""
    if command.tokens:
        raise incorrect_use(command)
    current = session.process
    if current is None or not current.alive:
        raise CommandFailed("err, nothing to terminate!")
    current.exit(0)


# --- modules and symbols


def modules(session: Session, command: Command, prepared: Prepared) -> None:
    """`lm [km|um] [m NAME] [pid P]`: the program of each process, and what symbols know of the kernel."""
    arguments = split(command, ("m", "pid"))
    parts = [token.lower for token in arguments.plain]
    for token in arguments.plain:
        if token.lower not in ("km", "um"):
            raise CommandFailed(f"err, couldn't resolve error at '{token.text}'")
    if len(parts) > 1:
        raise CommandFailed("err, 'um' and 'km' cannot be used together")
    name = arguments.keyed["m"].lower if "m" in arguments.keyed else ""
    shown: list[str] = []
    if parts != ["km"]:
        chosen = (process_of(session, arguments),) if "pid" in arguments.keyed else session.machine.processes
        rows = [row for item in chosen for path, row in _user_modules(session, item) if name in path.lower()]
        shown.append("user mode\nstart\t\t\tentrypoint\t\tpath\n\n" + "".join(rows))
    if parts != ["um"]:
        modules = _kernel_modules(session).items()
        rows = [_kernel_module(module, addresses) for module, addresses in modules if name in module.lower()]
        shown.append("kernel mode\nstart\t\t\tsize\tname\t\t\t\tpath\n\n" + "".join(rows))
    session.show(f"{RULE}\n".join(shown))


def _user_modules(session: Session, item: Process) -> Iterator[tuple[str, str]]:
    """The name and the row of a process's program, and of its libraries."""
    entry = item.image.entry
    start = min((area.start for area in item.image.areas), default=entry)
    yield item.name, f"{start:016x}\t{entry:016x}\t{item.name}\n"
    for module in session.symbols.modules(item):
        yield module.path, f"{module.start:016x}\t{module.entry:016x}\t{module.path}\n"


def _kernel_modules(session: Session) -> dict[str, list[int]]:
    """The modules with symbols in the kernel's half, by name, and where these lie."""
    modules: dict[str, list[int]] = {}
    for place in session.symbols.table:
        if place.address >> 63:
            modules.setdefault(place.module, []).append(place.address)
    return dict(sorted(modules.items()))


def _kernel_module(module: str, addresses: list[int]) -> str:
    clusters: list[list[int]] = []
    for place in sorted(addresses):  # what lies far away belongs to the kernel, and not to its image
        if not clusters or place - clusters[-1][-1] > _FARTHEST_IN_IMAGE:
            clusters.append([])
        clusters[-1].append(place)
    image = max(clusters, key=len)
    low, high = image[0] & -0x1000, image[-1] + 1
    size = (high - low + 0xFFF) & -0x1000
    return f"{a88(low)}\t{size:x}\t{module}\t\t\t\t{module}\n"


def symbols(session: Session, command: Command, prepared: Prepared) -> None:
    """`x [MODULE!]PATTERN`: the symbols that are known, mangled and readable, by name with * and ?."""
    if len(command.tokens) != 1:
        raise incorrect_use(command)
    rows = session.symbols.matching(command.tokens[0].text, session.process)
    if not rows:
        text = command.tokens[0].text
        near = session.symbols.table.nearest(text.strip("*?")) if text.strip("*?!") else None
        hint = f" (did you mean `{near}`?)" if near else ""
        raise CommandFailed(f"err, no symbol matches '{text}'{hint}")
    session.show("".join(f"{a88(place.address)}  {place}{_also(place)}\n" for place in rows))


def _also(place: Place) -> str:
    form = readable(place.name).full
    return f"  {form}" if form else ""


HANDLERS: dict[str, Handler] = {
    ".process": process,
    ".thread": thread,
    ".start": start,
    ".restart": restart,
    ".kill": kill,
    "lm": modules,
    "x": symbols,
}
