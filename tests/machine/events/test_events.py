"""The trigger protocol, the registry and what a script can do in an event."""

from __future__ import annotations

import pytest
from machine_guests import CODE, Bench, bench, pseudo, read, say, script, write
from msgspec.structs import replace

from machine.events.definition import BreakAction, CodeAction, EventDefinition
from machine.events.registry import RegistrationError
from machine.machine import StopCause
from machine.messages import Message
from machine.processor import msr
from vm.engine import Fault, FaultKind
from vm.facts.builtins import BUILTINS, Effect
from vm.facts.events import EVENT_BY_NAME, EVENT_KINDS, KIND_BY_NAME, SYSCALL
from vm.facts.stages import Stage
from vm.host import Host, UnsupportedHere

# Calls 55 and 66, five instructions; rbx counts what comes after each SYSCALL.
TWO_CALLS = "mov eax, 0x55; syscall; inc rbx; mov eax, 0x66; syscall; inc rbx"
FIRST_SYSCALL = CODE + 5


def ran(guest: Bench) -> Bench:
    guest.machine.run()
    return guest


# --- the table of kinds


def test_the_table_has_every_number_of_the_sdk_once() -> None:
    assert [kind.number for kind in EVENT_KINDS] == list(range(28))
    assert len(KIND_BY_NAME) == 28


def test_the_table_has_every_event_command() -> None:
    assert len(EVENT_BY_NAME) == 22
    assert len(EVENT_BY_NAME["!monitor"].kinds) == 7


# --- triggers and filters


def test_a_script_runs_at_every_syscall_with_the_number_as_context() -> None:
    guest = bench(TWO_CALLS)
    seen: list[int] = []
    guest.on_syscall(script(lambda host: seen.append(pseudo(host, "context"))))
    assert ran(guest).register("rbx") == 2
    assert seen == [0x55, 0x66]


def test_the_number_filters() -> None:
    guest = bench(TWO_CALLS)
    event = guest.on_syscall(say(b"x"), parameters=(0x66,))
    ran(guest)
    assert event.triggers == 1


def test_the_number_ffffffff_means_all() -> None:
    guest = bench(TWO_CALLS)
    event = guest.on_syscall(say(b"x"), parameters=(0xFFFF_FFFF,))
    ran(guest)
    assert event.triggers == 2


def test_the_number_filter_compares_64_bits() -> None:
    guest = bench("mov rax, 0x100000055; syscall")
    event = guest.on_syscall(say(b"x"), parameters=(0x55,))
    ran(guest)
    assert event.triggers == 0


def test_the_process_filters() -> None:
    guest = bench(TWO_CALLS, cores=2)
    guest.machine.load(b"\x0f\x05", "raw", process_id=0x2000)
    event = guest.on_syscall(say(b"x"), process_id=0x2000)
    ran(guest)
    assert event.triggers == 1


def test_the_core_filters() -> None:
    guest = bench(TWO_CALLS, cores=2)
    guest.machine.load(b"\x0f\x05", "raw")
    event = guest.on_syscall(script(lambda host: guest.notices.append(f"core {pseudo(host, 'core')}")), core=1)
    ran(guest)
    assert (event.triggers, guest.notices) == (1, ["core 1"])


def test_newer_events_run_first() -> None:
    guest = bench("syscall")
    guest.on_syscall(say(b"old"))
    guest.on_syscall(say(b"new"))
    assert ran(guest).texts == [b"new", b"old"]


def test_actions_run_in_their_order() -> None:
    guest = bench("syscall")
    guest.on_syscall(say(b"1"), say(b"2"))
    assert ran(guest).texts == [b"1", b"2"]


def test_a_later_event_sees_the_registers_that_an_earlier_one_wrote() -> None:
    guest = bench(TWO_CALLS)
    old = guest.on_syscall(say(b"x"), parameters=(0x77,))
    guest.on_syscall(script(lambda host: write(host, "rax", 0x77)))
    ran(guest)
    assert old.triggers == 2


def test_an_event_without_actions_is_disabled() -> None:
    assert not bench("syscall").on_syscall().enabled


# --- stages


def test_pre_sees_the_user_state_and_post_the_kernel_entry() -> None:
    guest = bench(TWO_CALLS)
    seen: list[tuple[int, ...]] = []
    names = ("rip", "rcx", "cs", "ss")
    action = script(lambda host: seen.append((pseudo(host, "event_stage"), *(read(host, name) for name in names))))
    guest.on_syscall(action, parameters=(0x55,), stage=Stage.ALL)
    ran(guest)
    lstar = guest.machine.read_msr(0, msr.LSTAR)
    assert seen == [(0, FIRST_SYSCALL, 0, 0x33, 0x2B), (1, lstar, FIRST_SYSCALL + 2, 0x10, 0x18)]


def test_in_post_r11_has_the_flags_and_the_masked_ones_are_clear() -> None:
    guest = bench("stc; syscall; jnc wrong; inc rbx; wrong: nop")
    seen: list[tuple[int, int]] = []
    guest.on_syscall(script(lambda host: seen.append((read(host, "r11"), read(host, "rflags")))), stage=Stage.POST)
    assert ran(guest).register("rbx") == 1
    assert [(old & 0x201, new & 0x201) for old, new in seen] == [(0x201, 1)]


def test_a_post_event_does_not_run_before_the_operation() -> None:
    guest = bench(TWO_CALLS)
    event = guest.on_syscall(say(b"x"), stage=Stage.POST)
    ran(guest)
    assert (event.triggers, [message.stage for message in guest.messages]) == (2, [1, 1])


def test_post_reads_the_context_again() -> None:
    guest = bench(TWO_CALLS)
    guest.on_syscall(script(lambda host: write(host, "rax", 0x99)), parameters=(0x55,))
    event = guest.on_syscall(say(b"x"), parameters=(0x99,), stage=Stage.POST)
    ran(guest)
    assert event.triggers == 1


def test_without_events_the_kernel_still_answers() -> None:
    guest = bench(TWO_CALLS)
    summary = guest.machine.run()
    assert (summary.unknown_system_calls, guest.register("rax")) == ({0x55: 1, 0x66: 1}, 0)


def test_after_the_call_rcx_is_the_return_address_and_r11_the_flags() -> None:
    guest = ran(bench("syscall; nop"))
    assert guest.register("rcx") == CODE + 2
    assert guest.register("r11") == 0x202


# --- short-circuiting


def test_a_short_circuited_call_changes_nothing_but_rip() -> None:
    guest = bench(TWO_CALLS)
    guest.on_syscall(say(b"x"), parameters=(0x66,), short_circuit=True)
    summary = guest.machine.run()
    assert (guest.register("rax"), guest.register("rbx"), summary.unknown_system_calls) == (0x66, 2, {0x55: 1})
    assert guest.register("rcx") == FIRST_SYSCALL + 2


def test_a_script_turns_short_circuiting_on_for_one_trigger() -> None:
    guest = bench(TWO_CALLS)
    guest.on_syscall(script(lambda host: host.request("event_sc", (int(pseudo(host, "context") == 0x55),))))
    assert guest.machine.run().unknown_system_calls == {0x66: 1}


def test_a_script_turns_the_default_off_for_one_trigger() -> None:
    guest = bench(TWO_CALLS)
    action = script(lambda host: host.request("event_sc", (int(pseudo(host, "context") == 0x55),)))
    guest.on_syscall(action, short_circuit=True)
    assert guest.machine.run().unknown_system_calls == {0x66: 1}


@pytest.mark.parametrize("first", [True, False])
def test_any_event_short_circuits(first: bool) -> None:
    guest = bench("syscall")
    guest.on_syscall(say(b"x"), short_circuit=first)
    guest.on_syscall(say(b"x"), short_circuit=not first)
    assert guest.machine.run().unknown_system_calls == {}


def test_no_post_stage_follows_a_short_circuited_call() -> None:
    guest = bench("syscall")
    post = guest.on_syscall(say(b"x"), stage=Stage.POST)
    guest.on_syscall(say(b"y"), short_circuit=True)
    ran(guest)
    assert post.triggers == 0


def test_a_filtered_event_does_not_short_circuit() -> None:
    guest = bench(TWO_CALLS)
    guest.on_syscall(say(b"x"), parameters=(0x99,), short_circuit=True)
    assert guest.machine.run().unknown_system_calls == {0x55: 1, 0x66: 1}


def test_event_sc_in_post_is_a_notice() -> None:
    guest = bench("syscall")
    guest.on_syscall(script(lambda host: host.request("event_sc", (1,))), stage=Stage.POST)
    ran(guest)
    assert "post stage" in guest.notices[0]


# --- rip


@pytest.mark.parametrize("stage", [Stage.PRE, Stage.POST])
@pytest.mark.parametrize("target", [0, 4, 7, 10])
def test_the_guest_goes_on_exactly_where_a_script_puts_rip(stage: Stage, target: int) -> None:
    guest = bench("nop; nop; syscall; inc rbx; inc rbx; inc rbx")
    visits: list[int] = []

    def redirect(host: Host) -> None:
        visits.append(1)
        if len(visits) == 1:
            write(host, "rip", CODE + target)

    guest.on_syscall(script(redirect), stage=stage)
    summary = guest.machine.run()
    again = target == 0
    expected = 3 if again else 3 - (target - 4) // 3
    assert (guest.register("rbx"), summary.unknown_system_calls) == (expected, {0: 1} if again else {})


# --- enabling, disabling, clearing, from scripts


def test_an_event_disables_itself() -> None:
    guest = bench(TWO_CALLS)
    guest.on_syscall(
        script(lambda host: host.request("event_disable", (pseudo(host, "event_id"),))), say(b"same trigger")
    )
    assert ran(guest).texts == [b"same trigger"]


def test_an_event_enables_another_for_the_same_trigger() -> None:
    guest = bench("syscall")
    old = guest.on_syscall(say(b"woken"))
    guest.machine.registry.disable(old.definition.id)
    guest.on_syscall(script(lambda host: host.request("event_enable", (0,))))
    assert ran(guest).texts == [b"woken"]


def test_an_event_that_was_cleared_during_a_trigger_does_not_run_in_it() -> None:
    guest = bench(TWO_CALLS)
    guest.on_syscall(say(b"cleared"))
    guest.on_syscall(script(lambda host: host.request("event_clear", (0,))))
    assert ran(guest).texts == []
    assert [event.definition.id for event in guest.machine.registry.oldest_first()] == [1]
    assert len(guest.notices) == 1  # the second trigger finds no event 0


def test_requests_outside_events_act_on_the_registry() -> None:
    guest = bench(TWO_CALLS)
    event = guest.on_syscall(say(b"x"))
    guest.machine.host_for_commands().request("event_disable", (0,))
    assert not event.enabled


# --- registration


def definition(guest: Bench, **options: object) -> EventDefinition:
    values: dict[str, object] = {"kind": SYSCALL, "command": "!syscall", "actions": (say(b"x"),), **options}
    return EventDefinition(id=guest.machine.registry.take_id(), **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "number"),
    [
        ({"core": 1}, 0xC0000006),
        ({"process_id": 0x99}, 0xC000001E),
        ({"short_circuit": True, "stage": Stage.POST}, 0xC000003A),
        ({"short_circuit": True, "stage": Stage.ALL}, 0xC000003A),
        ({"buffer_size": 1000}, 0xC0000048),
        ({"actions": (CodeAction(b""),)}, 0xC0000002),
        ({"kind": replace(KIND_BY_NAME["tsc"], emulated=False)}, 0xC0000003),
    ],
)
def test_registration_refuses_with_hyperdbgs_number(options: dict[str, object], number: int) -> None:
    guest = bench("syscall")
    with pytest.raises(RegistrationError, match=f"{number:x}") as caught:
        guest.machine.registry.register(definition(guest, **options))
    assert caught.value.number == number
    assert guest.machine.registry.oldest_first() == ()


def test_a_failed_registration_leaves_a_gap_in_the_ids() -> None:
    guest = bench("syscall")
    with pytest.raises(RegistrationError):
        guest.on_syscall(say(b"x"), core=7)
    event = guest.on_syscall(say(b"x"))
    assert (event.definition.id, event.definition.tag) == (1, 0x1000001)


def test_a_cleared_id_is_gone_for_good() -> None:
    guest = bench("syscall")
    guest.on_syscall(say(b"x"))
    guest.machine.registry.clear(0)
    with pytest.raises(RegistrationError, match="c000000e"):
        guest.machine.registry.enable(0)
    assert guest.on_syscall(say(b"x")).definition.id == 1


def test_each_action_has_its_own_zeroed_buffer() -> None:
    guest = bench(TWO_CALLS)
    seen: list[tuple[int, bytes | None]] = []

    def use(host: Host) -> None:
        address = pseudo(host, "buffer")
        seen.append((address, host.read_memory(address, 999)))
        host.write_memory(address, b"kept")

    guest.on_syscall(script(use), script(use), buffer_size=999)
    ran(guest)
    assert seen[0][0] != seen[1][0]
    assert (seen[0][1], seen[1][1]) == (bytes(999), bytes(999))
    assert seen[2][1] == b"kept" + bytes(995)


# --- faults, breaks, messages


def test_a_script_fault_is_reported_and_the_guest_goes_on() -> None:
    guest = bench(TWO_CALLS)
    fault = Fault(FaultKind.DIVISION_BY_ZERO, 3)
    guest.on_syscall(script(lambda host: fault), say(b"next action"))
    summary = guest.machine.run()
    assert (guest.faults, summary.script_faults) == ([(0, fault), (0, fault)], {0: 2})
    assert (guest.texts, guest.register("rbx")) == ([b"next action"] * 2, 2)


def test_a_break_ends_the_run_after_the_trigger() -> None:
    guest = bench(TWO_CALLS)
    guest.on_syscall(BreakAction())
    first = guest.machine.run()
    assert (first.cause, guest.register("rip"), guest.register("rbx")) == (StopCause.BREAK, FIRST_SYSCALL + 2, 0)
    assert [guest.machine.run().cause, guest.machine.run().cause] == [StopCause.BREAK, StopCause.END]


def test_at_a_break_commands_see_the_state_of_the_trigger() -> None:
    guest = bench(TWO_CALLS)
    seen: list[int] = []

    def look(trigger: object) -> bool:
        seen.append(guest.register("rip"))
        return True

    guest.machine.goes_on = look
    guest.on_syscall(script(lambda host: host.request("pause", ())))
    assert guest.machine.run().cause is StopCause.END
    assert seen[0] == FIRST_SYSCALL


def test_a_message_says_where_it_comes_from() -> None:
    guest = bench("nop; nop; syscall")
    guest.on_syscall(say(b"hello"), outputs=("log",))
    (message,) = ran(guest).messages
    assert message == Message(b"hello", 0, 0, 0, 0x1000, 0x1004, CODE + 2, 3, ("log",))


def test_messages_that_are_not_immediate_come_in_larger_pieces() -> None:
    guest = bench("mov ecx, 5; mov ebx, 5; again: syscall; dec ebx; jnz again")
    guest.on_syscall(say(b"x" * 1000), immediate=False)
    assert [len(message.text) for message in ran(guest).messages] == [4000, 1000]


def test_flush_drops_what_was_not_delivered() -> None:
    guest = bench("syscall")
    guest.on_syscall(say(b"lost"), script(lambda host: host.request("flush", ())), immediate=False)
    assert ran(guest).messages == []


@pytest.mark.parametrize("name", [*(row.name for row in BUILTINS if row.missing), "no_such_request"])
def test_what_the_machine_cannot_do_is_unsupported_here(name: str) -> None:
    with pytest.raises(UnsupportedHere, match="this machine"):
        bench("nop").machine.host_for_commands().request(name, ())


def test_the_machine_does_what_no_row_says_that_is_missing() -> None:
    host, refused = bench("nop").machine.host_for_commands(), set()
    for row in BUILTINS:
        if row.effect is Effect.HOST and not row.missing:
            try:
                host.request(row.name, (0,) * len(row.parameters))
            except UnsupportedHere:
                refused.add(row.name)
    assert refused == set()
