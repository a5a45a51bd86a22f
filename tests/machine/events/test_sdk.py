"""Registration in the shape of HyperDbg's programming interface."""

from __future__ import annotations

import pytest
from machine_guests import CODE, Bench, bench, block, script

from machine.events import sdk
from machine.events.definition import ScriptAction
from machine.events.registry import RegistrationError
from machine.events.sdk import APPLY_TO_ALL, Action, EventDetail
from machine.machine import StopCause
from vm.engine import Loaded
from vm.facts.events import EVENT_KINDS, Detection
from vm.facts.stages import Stage

TWO_CALLS = "mov eax, 0x55; syscall; mov eax, 0x66; syscall"
SYSCALL = "SYSCALL_HOOK_EFER_SYSCALL"


def program(text: bytes) -> Loaded:
    action: ScriptAction = script(lambda host: host.message(text))
    return action.program


def ran(guest: Bench) -> Bench:
    guest.machine.run()
    return guest


def refusal(detail: EventDetail, *actions: Action) -> RegistrationError:
    guest = bench(TWO_CALLS)
    with pytest.raises(RegistrationError) as caught:
        sdk.register(guest.machine.registry, detail, actions)
    assert guest.machine.registry.oldest_first() == ()
    return caught.value


def test_optional_param_1_is_the_system_call_number() -> None:
    guest = bench(TWO_CALLS)
    event = sdk.register(
        guest.machine.registry, EventDetail(SYSCALL, optional_parameters=(0x66,)), [Action.script(program(b"x"))]
    )
    ran(guest)
    assert (event.triggers, event.definition.tag) == (1, 0x1000000)


@pytest.mark.parametrize("parameters", [(), (APPLY_TO_ALL,)])
def test_without_a_number_all_calls_trigger(parameters: tuple[int, ...]) -> None:
    guest = bench(TWO_CALLS)
    detail = EventDetail(SYSCALL, optional_parameters=parameters)
    event = sdk.register(guest.machine.registry, detail, [Action.script(program(b"x"))])
    ran(guest)
    assert event.triggers == 2


@pytest.mark.parametrize("event_type", [SYSCALL, 9])
def test_an_event_type_is_a_name_or_a_number(event_type: str | int) -> None:
    guest = bench(TWO_CALLS)
    event = sdk.register(guest.machine.registry, EventDetail(event_type), [Action.break_to_debugger()])
    assert event.definition.kind.sdk_name == SYSCALL
    assert guest.machine.run().cause is StopCause.BREAK


@pytest.mark.parametrize(("kind", "value"), [(SYSCALL, 0), (SYSCALL, 1), ("SYSCALL_HOOK_EFER_SYSRET", 1)])
def test_optional_param_2_is_the_variant(kind: str, value: int) -> None:
    guest = bench(TWO_CALLS)
    detail = EventDetail(kind, optional_parameters=(APPLY_TO_ALL, value))
    event = sdk.register(guest.machine.registry, detail, [Action.break_to_debugger()])
    assert event.definition.detection is Detection(value)


def test_several_actions_of_one_kind_run_in_their_order() -> None:
    guest = bench("syscall")
    actions = [Action.script(program(text)) for text in (b"1", b"2", b"3")]
    sdk.register(guest.machine.registry, EventDetail(SYSCALL), actions)
    assert ran(guest).texts == [b"1", b"2", b"3"]


def test_custom_code_gets_its_return_and_its_buffer() -> None:
    guest = bench("mov eax, 0x55; syscall")
    code = block("mov [rcx], r8")[:-1]
    event = sdk.register(guest.machine.registry, EventDetail(SYSCALL), [Action.custom_code(code, buffer=8)])
    ran(guest)
    assert guest.machine.read_memory(event.buffers[0], 1) == b"\x55"


def test_a_condition_gets_its_return() -> None:
    guest = bench(TWO_CALLS)
    detail = EventDetail(SYSCALL, condition=block("cmp rdx, 66; sete al")[:-1])
    event = sdk.register(guest.machine.registry, detail, [Action.script(program(b"x"))])
    ran(guest)
    assert event.triggers == 1


def test_filters_stage_and_short_circuiting_are_those_of_the_detail() -> None:
    guest = bench(TWO_CALLS)
    detail = EventDetail(SYSCALL, core_id=0, process_id=0x1000, stage=1, enable_short_circuiting=True, command="mine")
    definition = sdk.register(
        guest.machine.registry, detail, [Action.script(program(b"x"), immediate=False)]
    ).definition
    assert (definition.core, definition.process_id, definition.stage) == (0, 0x1000, Stage.PRE)
    assert (definition.short_circuit, definition.immediate, definition.command) == (True, False, "mine")


def test_an_epthook_takes_its_address_in_optional_param_1() -> None:
    guest = bench(TWO_CALLS)
    detail = EventDetail("HIDDEN_HOOK_EXEC_CC", optional_parameters=(CODE + 5,))
    event = sdk.register(guest.machine.registry, detail, [Action.script(program(b"x"))])
    ran(guest)
    assert event.triggers == 1


def test_every_kind_has_its_sdk_name() -> None:
    assert len(sdk.KIND_BY_SDK_NAME) == len(EVENT_KINDS)


@pytest.mark.parametrize(
    ("detail", "actions", "number"),
    [
        (EventDetail("NO_SUCH_EVENT"), (), 0xC0000003),
        (EventDetail(99), (), 0xC0000003),
        (EventDetail(SYSCALL), (Action(7),), 0xC0000001),
        (EventDetail(SYSCALL), (Action(1),), 0xC0000001),
        (EventDetail(SYSCALL), (Action.custom_code(b""),), 0xC0000002),
        (EventDetail("HIDDEN_HOOK_EXEC_CC"), (), 0xC0000005),
        (EventDetail("HIDDEN_HOOK_EXEC_CC", optional_parameters=(0x10,)), (), 0xC0000005),
        (EventDetail(SYSCALL, core_id=5), (), 0xC0000006),
        (EventDetail(SYSCALL, process_id=5), (), 0xC000001E),
        (EventDetail(SYSCALL, stage=0), (), 0xC000001F),
        (EventDetail(SYSCALL, optional_parameters=(1, 2)), (), 0xC000001F),
        (EventDetail(SYSCALL, stage=3, enable_short_circuiting=True), (), 0xC000003A),
        (EventDetail(SYSCALL), (Action.custom_code(b"\x90", buffer=1000),), 0xC0000048),
    ],
)
def test_a_refusal_carries_hyperdbgs_number(detail: EventDetail, actions: tuple[Action, ...], number: int) -> None:
    error = refusal(detail, *actions)
    assert error.number == number
    assert f"({number:x})" in str(error)


def test_a_refused_registration_uses_an_id_up() -> None:
    guest = bench(TWO_CALLS)
    with pytest.raises(RegistrationError):
        sdk.register(guest.machine.registry, EventDetail(99), [])
    event = sdk.register(guest.machine.registry, EventDetail(9), [Action.break_to_debugger()])
    assert event.definition.id == 1
