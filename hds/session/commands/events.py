"""Event commands, and the `events` command that lists and changes them (events-and-commands B.2-B.4, B.12)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hds.outputs import OutputFailed
from hds.session.assembly import assemble_block
from hds.session.availability import kind_of
from hds.session.commands.handler import Handler, incorrect_use, resolve, words
from hds.session.refused import CommandFailed
from lang.commands import ALL, AssemblyText, EventCommand, HexCode, ScriptFile
from machine.events import RETURN, Action, BreakAction, CodeAction, EventDefinition, ScriptAction, require_emulated
from vm.facts.events import EVENT_BY_NAME
from vm.facts.numbers import plain_number

if TYPE_CHECKING:
    from hds.session.scripts import Prepared
    from hds.session.session import Session
    from lang.commands import Command
    from machine.schedule import Process

SHOWN = 70  # characters of an event's text in the list


def create_event(session: Session, command: Command, prepared: Prepared, calls: tuple[Action, ...] = ()) -> int:
    """Create the event of a command, enabled with its first action; its id. Raises RegistrationError.

    `calls` come before its own actions, and stand in the place of the break where it has none.
    """
    event = prepared.file.event(command)
    kind = kind_of(event)
    require_emulated(kind)
    for token in event.ignored:
        session.notice(f"'{token.text}' is ignored by {command.canonical_name}")
    actions = calls + _actions(session, event, prepared, or_break=not calls)
    if session.recording is not None:
        actions = (session.recording.action(session), *actions)
    if session.timeline is not None:
        actions = (session.timeline.action(), *actions)
    condition = _machine_code(session, event.condition)
    outputs = _outputs(session, event)
    machine, registry = session.machine, session.machine.registry
    parameters = {
        name: resolve(session, given.value, given.text, given.span) for name, given in event.parameters.items()
    }
    texts = [parameter.text for parameter in event.parameters.values() if parameter.value is None]
    meant = session.symbols.process_named_in(texts, machine.current, machine.processes)
    bound = _debugged(session, event, meant)
    definition = EventDefinition(
        id=registry.take_id(),
        kind=kind,
        command=command.display_text,
        parameters=parameters,
        process_id=bound.pid if bound is not None else None if event.pid == ALL else event.pid,
        core=None if event.core == ALL else event.core,
        stage=event.stage,
        short_circuit=event.short_circuit,
        immediate=event.immediate,
        buffer_size=event.buffer_size,
        condition=condition,
        actions=actions,
        outputs=outputs,
        detection=event.event.spelling.detection,
    )
    with machine.meaning(meant):
        registry.register(definition)
    session.event_spans[definition.id] = command.span
    if bound is not None:
        session.bound_events.add(definition.id)
        session.notice(
            f"event {definition.id:x} applies to process {bound.pid:x} ({bound.name}) only, which is being debugged; "
            "'pid all' is for every process"
        )
    return definition.id


def _register(session: Session, command: Command, prepared: Prepared) -> None:
    create_event(session, command, prepared)


def _debugged(session: Session, event: EventCommand, meant: Process | None) -> Process | None:
    """The process that is being debugged, and that an event without `pid` applies to (events-and-commands B.2)."""
    alive = [process for process in session.debugged if process.alive]
    if "pid" in event.given or not alive:
        return None
    return alive[-1] if meant is None else meant if meant in alive else None


def _actions(session: Session, event: EventCommand, prepared: Prepared, *, or_break: bool) -> tuple[Action, ...]:
    """Script first, then code, then the break that stands for neither (B.4) where nothing else does."""
    actions: list[Action] = []
    if event.script is not None:
        span = event.script.span if isinstance(event.script, ScriptFile) else event.script.token.span
        actions.append(ScriptAction(prepared.loaded[span.start]))
    code = _machine_code(session, event.code)
    if code is not None:
        actions.append(CodeAction(code))
    return tuple(actions) or ((BreakAction(),) if or_break else ())


def _machine_code(session: Session, block: HexCode | AssemblyText | None) -> bytes | None:
    if block is None:
        return None
    if isinstance(block, HexCode):
        return block.code + RETURN
    from machine.root import AssemblerError

    try:
        assembled = assemble_block(block, session.limits)
    except AssemblerError as error:
        raise CommandFailed(f"err, {error}") from None
    return assembled.code + RETURN


def _outputs(session: Session, event: EventCommand) -> tuple[str, ...]:
    names = tuple(output.name for output in event.outputs)
    try:
        waiting = session.outputs.check(names)
    except OutputFailed as error:
        raise CommandFailed(f"err, {error}") from None
    for name in waiting:
        session.notice(f"the output '{name}' is not opened yet: use 'output open {name}'")
    return names


def events(session: Session, command: Command, prepared: Prepared) -> None:
    """`events`, `events e|d|c ID|all`, `events sc on|off`."""
    given = [word.lower() for word in words(command)]
    registry = session.machine.registry
    if not given:
        lines = [_line(event.definition, event.enabled) for event in registry.oldest_first()]
        session.show("".join(lines) or "no active/disabled events\n")
        return
    changes = {"e": registry.enable, "d": registry.disable, "c": registry.clear}
    if len(given) != 2 or given[0] not in (*changes, "sc"):
        raise incorrect_use(command, "events [e|d|c ID|all] or events sc on|off")
    if given[0] == "sc":
        _short_circuit(session, given[1])
        return
    if given[1] == "all":
        found = registry.oldest_first()
        if not found:
            raise CommandFailed("err, there is no event")
        for event in found:
            changes[given[0]](event.definition.id)
        return
    number = plain_number(given[1])
    if number is None:
        raise CommandFailed(f"please specify a correct hex value for the event id, not '{given[1]}'")
    changes[given[0]](number)


def _short_circuit(session: Session, word: str) -> None:
    """`events sc on|off`: of the trigger that holds the guest, and only of that one."""
    if word not in ("on", "off"):
        raise CommandFailed(f"err, please specify 'on' or 'off', not '{word}'")
    held = session.execution.held
    if held is None:
        raise CommandFailed("err, the short-circuiting state changes only while an event is being handled")
    held.short_circuit = word == "on"
    session.show(f"the event's short-circuiting state changed to '{word}'\n")


def _line(definition: EventDefinition, enabled: bool) -> str:
    text = definition.command.replace("\n", " ")
    if len(text) > SHOWN:
        text = text[:SHOWN] + "..."
    state = "enabled" if enabled else "disabled"
    return f"{definition.id:x}\t({state})\t    {text}\n"


HANDLERS: dict[str, Handler] = {**dict.fromkeys(EVENT_BY_NAME, _register), "events": events}
