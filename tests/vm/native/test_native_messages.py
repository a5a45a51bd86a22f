"""Messages: rendered later where nothing can go wrong with them, at once elsewhere, in order always."""

from __future__ import annotations

import ctypes

import pytest
from direct_guest import RAX, RCX, TWO, Guest, run
from hypothesis import given, strategies as st
from native_cases import BASE, World, engines, same, same_script, script

from vm import formatting
from vm.engine import FaultKind
from vm.facts.limits import DEFAULT_LIMITS, Limits
from vm.host import MemoryHost
from vm.native.activation import Prepared, Workspace
from vm.native.engine import NativeEngine
from vm.native.records import RING_CELLS, Text, Waiting, waiting
from vm.native.trigger import prepare
from vm.script_memory import GlobalStore

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("text", "room"),
    [
        ("plain", 4089),
        ("%llx %d %c %p %u %o", 3955),
        ("%f", 3777),
        ("%s", 4094),
        ("%10s, %ws", 4082),
        ("%.4094s", 4094),
        ("%4000x", 94),
        ("%4095x", None),
        ("%.4090f", None),
        ("%4095s", None),
        ("%.4095ws", None),
    ],
)
def test_a_message_waits_where_its_numbers_cannot_make_it_too_long(text: str, room: int | None) -> None:
    found = waiting(formatting.parse(text.encode()), DEFAULT_LIMITS.max_message)
    assert (found and found.room) == room


def test_the_texts_of_a_message_that_waits() -> None:
    assert waiting(formatting.parse(b"%d %.3s %ws"), 4095) == Waiting((Text(1, False, 3), Text(2, True, 4095)), 4066)


def test_no_message_takes_more_than_its_share_of_the_ring() -> None:
    found = waiting(formatting.parse(b"%s"), 1 << 30)
    assert found is not None
    assert found.room <= RING_CELLS


def test_messages_of_both_kinds_stay_in_order() -> None:
    world = World({"rcx": BASE}, b"text")
    outcome = same_script(
        'print(1); printf("%s ", @rcx); printf("%x", 2); flush(); printf("%s", @rcx); print(3);', world
    )
    assert outcome.host.messages == [b"1\n", b"text ", b"2", b"text", b"3\n"]


def test_a_full_ring_is_drained_and_nothing_is_lost() -> None:
    count = RING_CELLS // 3 + 100
    program = script(f'for (i = 0; i < 0n{count}; i++) {{ printf("%llx %llx", i, i * i); }}')
    outcome = same(program)
    assert len(outcome.host.messages) == count


@pytest.mark.parametrize("limit", range(1, 26))
def test_the_message_limit_strikes_at_the_same_point(limit: int) -> None:
    outcome = same_script('print(0); printf("%d is %x", -1234, @rax); print(1);', limits=Limits(max_message=limit))
    if outcome.result.fault is not None:
        assert outcome.result.fault.kind is FaultKind.MESSAGE_TOO_LONG


def test_every_conversion_on_every_kind_of_value() -> None:
    flags = ("", "-", "0", "+", " ", "#", "-#", "+0")
    sizes = ("", "1", "9", ".0", ".3", "12.5")
    for letter in ("d", "i", "u", "x", "X", "o", "hd", "hx", "lld", "llx", "llu", "llX", "llo", "c", "p"):
        formats = "|".join(f"%{flag}{size}{letter}" for flag in flags[:3] for size in sizes) + "|".join(
            f"%{flag}{letter}" for flag in flags
        )
        count = formats.count("%")
        for value in ("0", "1", "-1", "0x8000", "0x80000000", "0x8000000000000041"):
            same_script(f'printf("{formats}"{f", {value}" * count});')


def test_held_messages_wait_for_drain() -> None:
    engine, host = NativeEngine(), MemoryHost()
    loaded = engine.load(script("print(1);"), GlobalStore())
    other = engine.load(script('printf("%d-%d", 2, 3);'), GlobalStore())
    assert engine.run_holding(loaded, host).ok
    assert engine.run_holding(other, host).ok
    assert engine.run_holding(loaded, host).ok
    assert host.messages == []
    engine.drain(host)
    assert host.messages == [b"1\n", b"2-3", b"1\n"]
    engine.drain(host)
    assert len(host.messages) == 3


def test_messages_before_an_error_are_delivered() -> None:
    for engine in engines(DEFAULT_LIMITS):
        host = MemoryHost()
        assert not engine.run(engine.load(script("print(1); print(1 / @rax); print(2);"), GlobalStore()), host).ok
        assert host.messages == [b"1\n"]


class Refusing(MemoryHost):
    """A host that does not take one of the messages."""

    def message(self, text: bytes) -> None:
        if text == b"2":
            raise BrokenPipeError
        super().message(text)


@pytest.mark.parametrize("text", ['printf("%u", {});', 'printf("%s%lld", "", {});'])
def test_messages_behind_one_that_is_refused_are_not_lost(text: str) -> None:
    engine, host = NativeEngine(), Refusing()
    loaded = engine.load(script("".join(text.format(number) for number in (1, 2, 3, 4))), GlobalStore())
    engine.run_holding(loaded, host)
    with pytest.raises(BrokenPipeError):
        engine.drain(host)
    assert host.messages == [b"1"]
    engine.drain(host)
    assert host.messages == [b"1", b"3", b"4"]


def test_messages_that_wait_for_another_try_come_before_new_ones() -> None:
    engine, host = NativeEngine(), Refusing()
    loaded = engine.load(script('printf("%u", 2); printf("%u", 3);'), GlobalStore())
    for _ in range(2):
        with pytest.raises(BrokenPipeError):
            engine.run(loaded, host)
    engine.drain(host)
    assert host.messages == [b"3", b"3"]


def test_what_takes_the_messages_gets_those_that_were_not_delivered() -> None:
    engine, host = NativeEngine(), Refusing()
    loaded = engine.load(script('printf("%u", 2); printf("%u", 3);'), GlobalStore())
    workspace = Workspace(engine.limits)
    activation = prepare(engine, loaded, host, workspace)
    prepared = loaded.native
    assert isinstance(prepared, Prepared)
    prepared.code.run(activation.address)
    with pytest.raises(BrokenPipeError):
        activation.drain()
    prepared.code.run(activation.address)
    assert workspace.ring.take() == [b"3", b"2", b"3"]
    assert workspace.ring.take() == []


# --- texts ------------------------------------------------------------------------------------------------------------

NARROW = (b"", b"a", b"text", bytes(range(1, 256)), b"\xff" * 40)
WIDE = ("", "a", "\u00e9t\u00e9", "\u20ac" * 9, "\U0001f600!", "\ud800", "\udc00x\ud800", "a\u0100")


def guest_with(*texts: tuple[int, bytes]) -> Guest:
    """Two pages with these texts, whose addresses are in @rax and @rcx."""
    guest = Guest(TWO)
    for register, (address, data) in zip((RAX, RCX), texts, strict=False):
        guest.direct.registers[register] = address
        for place, byte in enumerate(data, address):
            start = place & ~0xFFF
            guest.buffers[start][place - start] = byte
    return guest


@pytest.mark.parametrize("form", ["%s", "[%10s]", "[%-10s]", "%.3s|", "%.0s|", "%s%%%s", "%s %lld %s", "%5.2s %x"])
@pytest.mark.parametrize("text", NARROW, ids=len)
def test_narrow_texts_are_copied_where_they_are_printed(form: str, text: bytes) -> None:
    guest = guest_with((0x1010, text), (0x2010, b"second"))
    arguments = ", @rax" if form.count("%") == 1 else ", @rax, @rcx" if form.count("s") == 2 else ", @rax, 5"
    arguments = ", @rax, 5, @rcx" if "lld" in form else arguments
    assert run(f'printf("{form}"{arguments}); eb(@rax, 0x5a); printf("{form}"{arguments});', guest) is None
    assert guest.asked == []
    assert not guest.callbacks


@pytest.mark.parametrize("form", ["%ws", "[%10ls]", "[%-10ws]", "%.3ws|", "%.1ws", "%ws%ws"])
@pytest.mark.parametrize("text", WIDE, ids=ascii)
def test_wide_texts_are_copied_where_they_are_printed(form: str, text: str) -> None:
    guest = guest_with((0x1011, text.encode("utf-16-le", "surrogatepass")))
    run(f'printf("{form}"{", @rax" * form.count("%")});', guest)
    assert guest.asked == []
    assert not guest.callbacks


def test_literals_are_copied() -> None:
    outcome = same_script('printf("%s %ws %s\\n", "narrow", L"wide \\xd800", "");')
    assert outcome.host.messages == [b"narrow wide ? \n"]


@pytest.mark.parametrize("address", [0x1FFF, 0x1FF0, 0x2FF0, 0x2FFF, 0xFFF, 0x3000, 0, 2**64 - 1, 2**63])
@pytest.mark.parametrize("form", ["%s", "%ws", "%.1s", "%.1ws", "%.40s"])
def test_texts_at_the_ends_of_pages(address: int, form: str) -> None:
    guest = Guest(TWO)
    for buffer in guest.buffers.values():
        ctypes.memset(buffer, 0x41, len(buffer))
    guest.direct.registers[RAX] = address
    run(f'print(1); printf("<{form}>", @rax); print(2);', guest)


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 24, 30])
@pytest.mark.parametrize("form", ["%s", "%s%s", "%4s|%s", "%.3s%s", "%ws", "%ws%ws", "%s%d"])
def test_the_message_limit_strikes_alike_with_texts(limit: int, form: str) -> None:
    guest = guest_with((0x1010, "ab\u20acd".encode("utf-16-le") if "w" in form else b"abcdef"), (0x2010, b"gh"))
    second = "" if form.count("%") == 1 else ", @rax" if "w" in form else ", @rcx"
    run(f'printf("{form}", @rax{second}); print(1);', guest, Limits(max_message=limit))


@pytest.mark.parametrize("length", [4093, 4094, 4095, 4096, 5000])
def test_the_longest_texts(length: int) -> None:
    guest = guest_with((0x1800, b"x" * length))
    fault = run('printf("%s", @rax);', guest)
    assert (fault is None) == (length <= 4094)


def test_the_bulk_limit_strikes_alike_with_texts() -> None:
    for limit in (1, 5, 6, 7, 0x7EF, 0x7F0, 0x7F1, 0xFDF, 0xFE0, 0xFE1, 0xFE6, 0xFE7, 0x2000):
        run(
            'printf("%s%s%s", @rax, @rax, "short"); print(1);', guest_with((0x1810, b"t")), Limits(max_bulk_bytes=limit)
        )


def test_texts_of_many_messages_fill_the_ring() -> None:
    guest = guest_with((0x1010, b"x" * 900))
    assert run('for (i = 0; i < 0n700; i++) { printf("%lld %s", i, @rax); }', guest) is None
    assert guest.callbacks == {"drain": 1}
    assert len(guest.messages) == 700


def test_records_of_all_kinds_stand_side_by_side() -> None:
    guest = guest_with((0x1010, b"one"), (0x2010, "\u0442\u0432\u043e".encode("utf-16-le")))
    text = """
        print(1); printf("%s", @rax); printf("%d %hx", -1, -1); printf("%d %hx", 5, 6); printf("%ws %d", @rcx, -2);
        printf("%s%s", @rax, "x"); printf("%c%f", 0x41, 1.5); print(2); print(3); printf("%08x|%s", 5, @rax);
    """
    assert run(text, guest) is None
    assert not guest.callbacks


@given(
    st.lists(st.sampled_from(["%s", "%5s", "%-6.2s", "%ws", "%.2ws", "%d", "%lld", "-"]), min_size=1, max_size=4),
    st.sampled_from([8, 24, 4095]),
    st.lists(st.binary(max_size=12), min_size=4, max_size=4),
    st.sampled_from([0x1000, 0x1FF3, 0x1FFA, 0x2FF1, 0x2FFE]),
)
def test_messages_with_texts_are_the_reference_engine_s(
    pieces: list[str], limit: int, texts: list[bytes], address: int
) -> None:
    guest = Guest(TWO)
    arguments = []
    place = address
    for piece, text in zip([piece for piece in pieces if piece != "-"], texts, strict=False):
        arguments.append(f", 0x{place:x}")
        for byte in text:
            if place < 0x3000:
                guest.buffers[place & ~0xFFF][place & 0xFFF] = byte
            place += 1
        place += 2 if "s" in piece else 0
    run(f'printf("{"".join(pieces)}"{"".join(arguments)}); print(1);', guest, Limits(max_message=limit))
