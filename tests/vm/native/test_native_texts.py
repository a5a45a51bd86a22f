"""Built-in functions on texts and blocks of memory: in place where all is at hand, the same answers everywhere."""

from __future__ import annotations

import ctypes

import pytest
from direct_guest import BOTH, RAX, RCX, RDX, TWO, Guest, Layout, run
from hypothesis import given, strategies as st

from vm.facts.limits import Limits
from vm.native.access import READABLE

pytestmark = pytest.mark.slow

UNITS = {"strlen": 1, "wcslen": 2, "strcmp": 1, "wcscmp": 2, "strncmp": 1, "wcsncmp": 2, "memcmp": 1}
LITERALS = {1: ('""', '"a"', '"ab"', '"abc"'), 2: ('L""', 'L"a"', 'L"ab"', 'L"\\x8000"')}
EDGES = (0x1000, 0x1001, 0x1FF0, 0x1FF7, 0x1FFE, 0x1FFF, 0x2000, 0x2FF0, 0x2FFD, 0x2FFE, 0x2FFF)
OUTSIDE = (0, 0xFFF, 0x3000, 2**60 - 1, 2**60, 2**61, 3 * 2**60, 2**64 - 1)


WHOLE = ((0x1000, 0x2000, BOTH),)  # pages that meet


def guest_of(data: bytes, start: int = 0x1FF0, layout: Layout = TWO) -> Guest:
    """Two pages that do not meet in physical memory, with this data, which may cross, and 0x41 elsewhere."""
    guest = Guest(layout)
    for buffer in guest.buffers.values():
        ctypes.memset(buffer, 0x41, len(buffer))
    for place, byte in enumerate(data, start):
        ((buffer, part),) = guest.memory.pieces(place, 1)
        buffer[part] = [byte]
    return guest


def in_place(text: str, guest: Guest) -> list[int]:
    """What a script prints that needs no Python."""
    assert run(text, guest) is None
    assert guest.asked == []
    assert not guest.callbacks
    return [int(message, 16) for message in guest.messages]


MINUS_ONE = 2**64 - 1


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ('print(strlen("")); print(strlen("seven b")); print(strlen("eight by"));', [0, 7, 8]),
        ('print(wcslen(L"")); print(wcslen(L"four")); print(wcslen(L"\\x100"));', [0, 4, 1]),
        ('print(strcmp("abc", "abd")); print(strcmp("b", "a")); print(strcmp("", ""));', [MINUS_ONE, 1, 0]),
        ('print(strcmp("ab", "abc")); print(strcmp("\\xff", "a"));', [MINUS_ONE, 1]),
        ('print(wcscmp(L"abc", L"abd")); print(wcscmp(L"\\x8000", L"\\x7fff")); print(wcscmp(L"a", L"a"));',
         [MINUS_ONE, 1, 0]),
        ('print(strncmp("abcx", "abcd", 3)); print(strncmp("abcx", "abcd", 4)); print(strncmp("a", "b", 0));',
         [0, 1, 0]),
        ('print(strncmp("a\\0x", "a\\0y", 3)); print(wcsncmp(L"abx", L"aby", 2)); print(wcsncmp(L"abx", L"aby", -1));',
         [0, 0, MINUS_ONE]),
        ('print(memcmp("abcd", "abce", 3)); print(memcmp("abcd", "abce", 4)); print(memcmp("a\\0b", "a\\0a", 3));',
         [0, MINUS_ONE, 1]),
        ('.va = 5; memcpy(&.vb, &.va, 8); print(.vb); memcpy(0x1ffc, &.va, 4); print(dd(0x1ffc));', [5, 5]),
    ],
)  # fmt: skip
def test_without_python(text: str, result: list[int]) -> None:
    assert in_place(text, Guest(TWO)) == result


def test_texts_of_the_guest_without_python() -> None:
    data = b"first\0" + "wide".encode("utf-16-le") + b"\0\0"
    guest = guest_of(data, 0x1801)
    text = """
        print(strlen(0x1801)); print(wcslen(0x1807)); print(strcmp(0x1801, "first")); print(wcscmp(0x1807, L"wife"));
        print(memcmp(0x1801, 0x1801, 0x7ff)); print(strcmp(0x1801, 0x1801)); memcpy(0x1802, 0x1801, 0x20);
    """
    assert in_place(text, guest) == [5, 4, 0, MINUS_ONE, 0, 0]


def test_a_copy_within_itself_is_made_as_through_a_buffer() -> None:
    for source, target in ((0x1100, 0x1101), (0x1101, 0x1100)):
        guest = guest_of(bytes(range(256)), 0x1100)
        assert in_place(f"memcpy({target:x}, {source:x}, 0x80);", guest) == []


@pytest.mark.parametrize("name", ["strlen", "wcslen"])
@pytest.mark.parametrize("address", [*EDGES, *OUTSIDE])
@pytest.mark.parametrize("end", [0, 0x2000, 0x2FFE, 0x2FFF])
def test_the_length_of_texts_that_end_at_an_edge(name: str, address: int, end: int) -> None:
    guest = guest_of(b"\0\0"[: 0x3000 - end], end) if end else guest_of(b"")
    guest.direct.registers[RAX] = address
    run(f"print({name}(@rax));", guest)


def test_a_text_at_the_end_of_the_address_space() -> None:
    last = 2**64 - 0x1000
    for data, start in ((b"\0", 2**64 - 1), (b"x\0", 2**64 - 2), (b"", last)):
        guest = guest_of(data, start, ((last, 0x1000, BOTH),))
        run("print(strlen(-9)); print(wcslen(-9)); print(wcslen(-8)); print(strcmp(-9, -4));", guest)


def test_a_text_in_a_frame() -> None:
    text = 'char v[0n20]; memcpy(v, "0123456789", 0n11); print(strlen(v)); print(strcmp(v, "0123456789"));'
    assert in_place(text + "memset = 5; print(wcslen(v)); print(memcmp(v, v, 0n24));", Guest(TWO)) == [10, 0, 5, 0]


@pytest.mark.parametrize(
    "text",
    [
        "memcpy(0x2000, 0x1000, 0);",
        "memcpy(0x2000, 0x3000, 1);",
        "memcpy(0x3000, 0x1000, 1);",
        'memcpy("a", 0x1000, 1);',
        "memcpy(0x2800, 0x1000, 0x801);",
        "memcpy(0x2000, 0x1000, -1);",
        "memcpy(0x1ff8, 0x1000, 0x10);",
    ],
)
def test_copies_that_fail_or_cross_pages(text: str) -> None:
    run(f"print(1); {text} print(2);", guest_of(b""))


def test_a_copy_into_memory_that_is_read_only_in_place() -> None:
    guest = guest_of(b"", 0, ((0x1000, 0x1000, READABLE),))
    run("memcpy(0x1000, 0x1800, 8);", guest)
    assert guest.callbacks == {"memcpy": 1}


@pytest.mark.parametrize("limit", [1, 4, 5, 0xC, 0xD, 0xF, 0x10, 0x7FF, 0x800, 0x801, 0x1000, 0x1010, 0x1011, 0x3000])
@pytest.mark.parametrize(
    "call",
    ['strlen("0123")', "strlen(0x1800)", "wcslen(0x17ff)", "strlen(0x1ff0)", 'strcmp("0123", "0124")',
     'strcmp(0x1800, "AAAA")', "strcmp(0x1800, 0x1900)", "memcmp(0x1000, 0x1800, 0x800)", "wcsncmp(0x1801, 0x1900, 5)",
     "memcpy(0x1000, 0x1800, 0x10)"],
)  # fmt: skip
def test_bulk_work_is_charged_alike(call: str, limit: int) -> None:
    guest = guest_of(b"\0", 0x1FFF)
    run(f"print(1); {call}; print(2); {call}; print(3);", guest, Limits(max_bulk_bytes=limit))


@pytest.mark.parametrize("limit", [0x10, 0x800, 0x80F, 0x810, 0x811, 0x1020, 0x2000])
@pytest.mark.parametrize(
    "call", ["strlen(0x1ff0)", "wcslen(0x1ff1)", "strcmp(0x1ff0, 0x1100)", "memcmp(0x1ff0, 0x1ff1, 0x20)"]
)
@pytest.mark.parametrize("layout", [TWO, WHOLE])
def test_pages_are_charged_alike_wherever_they_lie(call: str, limit: int, layout: Layout) -> None:
    guest = guest_of(b"", 0, layout)
    run(f"print(1); print({call}); print(2);", guest, Limits(max_bulk_bytes=limit))


@pytest.mark.parametrize("layout", [TWO, WHOLE])
def test_texts_go_on_in_pages_that_lie_elsewhere(layout: Layout) -> None:
    guest = guest_of(b"0123456789abcdefghij\0\0\0\0", 0x1FF0, layout)
    text = 'print(strlen(0x1ff0)); print(wcslen(0x1ff0)); print(strcmp(0x1ff0, "0123456789abcdefghik"));'
    assert in_place(text + "print(memcmp(0x1ff0, 0x1ff0, 0x800));", guest) == [20, 10, MINUS_ONE, 0]


def test_a_unit_of_a_wide_text_in_two_pages_that_do_not_meet() -> None:
    for layout, callbacks in ((WHOLE, {}), (TWO, {"wcslen": 1})):
        guest = guest_of(b"a\0b\0\0\0", 0x1FFD, layout)
        assert run("print(wcslen(0x1ffd));", guest) is None
        assert (guest.messages, guest.callbacks) == ([b"2\n"], callbacks)


@given(
    name=st.sampled_from(sorted(UNITS)),
    data=st.binary(max_size=32).map(lambda data: bytes(byte & 1 for byte in data)),
    addresses=st.tuples(*[st.sampled_from((*range(0x1FF0, 0x2010), *EDGES, *OUTSIDE))] * 2),
    count=st.sampled_from([0, 1, 2, 5, 0xFFF, 0x1000, 0x1001, 2**63, 2**64 - 1]),
    literal=st.none() | st.integers(0, 3),
    probe=st.sampled_from([1, 0xFF0, 0x1000, 0x1FF0]),
    limit=st.sampled_from([0x20, 0xFFF, 0x1000, 0x1001, 0x1010, 0x1800, 0x2000, 0x2010, 0x4000]),
)
def test_functions_on_texts_are_the_reference_engine_s(
    name: str, data: bytes, addresses: tuple[int, int], count: int, literal: int | None, probe: int, limit: int
) -> None:
    guest = guest_of(data)
    for register, value in zip((RAX, RCX, RDX), (*addresses, count), strict=True):
        guest.direct.registers[register] = value
    second = "@rcx" if literal is None else LITERALS[UNITS[name]][literal]
    arguments = ("@rax" if literal is None else second) if "len" in name else f"@rax, {second}"
    arguments += ", @rdx" if name in ("strncmp", "wcsncmp", "memcmp") else ""
    # What is left of the limit shows in whether the comparison behind it, which charges `probe`, is allowed.
    rest = f"print(memcmp(0x1000, 0x1000, 0x{probe:x}));"
    run(f"print({name}({arguments})); {rest}", guest, Limits(max_bulk_bytes=limit))


@given(
    target=st.sampled_from((*EDGES, *OUTSIDE)),
    source=st.sampled_from((*EDGES, *OUTSIDE)),
    size=st.sampled_from([0, 1, 3, 0x10, 0xFFF, 0x1000, 0x1001, 0x4000, 0x4001, 2**64 - 1]),
)
def test_copies_are_the_reference_engine_s(target: int, source: int, size: int) -> None:
    guest = guest_of(bytes(range(0x20)))
    for register, value in zip((RAX, RCX, RDX), (target, source, size), strict=True):
        guest.direct.registers[register] = value
    run("memcpy(@rax, @rcx, @rdx); print(1);", guest, Limits(max_bulk_bytes=0x4000))
