"""What the assembler accepts, what the numbers in it mean, and what it refuses because Keystone would get it wrong."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable

import pytest
from effort import often
from hypothesis import given, settings, strategies as st
from msgspec.structs import replace

from machine.root import assembler_process
from machine.root.assembler import AssemblerError, assemble
from vm.facts.limits import DEFAULT_LIMITS


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("nop; nop\nnop", "909090"),
        ("nop // a comment; nop\n/* nop\nnop */ ret", "90c3"),
        ("mov rcx, gs:[0x188]", "65488b0c2588010000"),
        ("mov rax, gs:[0x188]", "65488b042588010000"),
        ("mov rcx, [gs:0x188]", "65488b0c2588010000"),
        ("mov rcx, [0x12345678]", "488b0c2578563412"),
        ("mov QWORD PTR [rax + rcx*4 - 8], -1", "48c74488f8ffffffff"),
        ("add rax, 0xff", "4805ff000000"),
        ("test rax, [rbx]", "488503"),
        ("imul rcx, 5", "486bc905"),
        ("rep movsb", "f3a4"),
        ("lock cmpxchg [rax], rbx", "f0480fb118"),
        ("jz here; here: ret", "7400c3"),
        ("again: jmp again", "ebfe"),
        ("jmp $", "ebfe"),
        ("endbr64; sysretq", "f30f1efa480f07"),
        ("mov al, 'A'", "b041"),
    ],
)
def test_statements_become_code(text: str, code: str) -> None:
    assert assemble(text).code.hex() == code


@pytest.mark.parametrize(
    "text",
    [
        "mov al, 0x1ff",
        "mov rax, [rax + 0x123456789]",
        "mov rcx, [0x1122334455667788]",
        "pop rip",
        "push 0xffffffff",
        "add rax, 0xffffffff",
        "movzx eax, [rax]",
        "shl [rax], cl",
        "mov [rax], 5",
        "[rax+",
        "mov rax, [rax+",
        "mov rax, undefined_label",
        "mov rax rbx",
        "frobnicate rax",
        "lea rax, [rbx - rcx]",
        "mov rax, [rbx*3]",
        "rep",
        "mov rax,",
    ],
)
def test_what_cannot_be_encoded_as_written_is_refused(text: str) -> None:
    with pytest.raises(AssemblerError):
        assemble(text)


@pytest.mark.parametrize(
    "text", ['.incbin "/etc/passwd"', "nop; .byte 1", "a: .include 'x'", "nop\n .org 5", ".globl main", "x: .y: nop"]
)
def test_directives_are_refused(text: str) -> None:
    with pytest.raises(AssemblerError, match=r"dot|directives"):
        assemble(text)


@pytest.mark.parametrize("text", ["nop\0; nop", "mov rax, \u0661", "n\u00f6p", "/* not closed", '"not closed', "# no"])
def test_characters_outside_the_syntax_are_refused(text: str) -> None:
    with pytest.raises(AssemblerError):
        assemble(text)


def test_an_error_has_line_and_column() -> None:
    with pytest.raises(AssemblerError) as caught:
        assemble("nop\n  nop; mov rax, what\n")
    assert (caught.value.line, caught.value.column) == (2, 17)


def test_bare_numbers_are_decimal_in_listings() -> None:
    assert assemble("mov al, 10; mov cl, 0x10; mov dl, 0n10", radix=10).code.hex() == "b00ab110b20a"


def test_bare_numbers_are_hexadecimal_in_blocks() -> None:
    assert assemble("mov al, 10; mov cl, ff; mov dl, 0n10", radix=16).code.hex() == "b010b1ffb20a"


def test_a_number_that_looks_decimal_is_warned_about_in_blocks() -> None:
    warnings = assemble("cmp al, 9; cmp al, 10; cmp al, 0x10", radix=16).warnings
    assert [(warning.line, warning.column) for warning in warnings] == [(1, 20)]


def test_a_label_beats_a_hexadecimal_number() -> None:
    assert assemble("add: jmp add", radix=16).code.hex() == "ebfe"


def test_data_is_reached_relative_absolute_and_by_value() -> None:
    text = "lea rsi, [rel text]; lea rsi, [rip + text]; mov rsi, text; mov al, [text]; ret; text: db 'hi', 0"
    assembly = assemble(text, address=0x400000)
    address = assembly.labels["text"]
    assert assembly.code[address - 0x400000 :] == b"hi\0"
    assert assembly.code[3:7] == (address - 0x400007).to_bytes(4, "little")
    assert assembly.code[17:21] == address.to_bytes(4, "little")


def test_data_sizes() -> None:
    assembly = assemble('a: db 1, -1, "x;y"; dw 0x1234; dd 5; dq a', address=0x1000)
    assert assembly.code.hex() == "01ff783b79" + "3412" + "05000000" + "0010000000000000"


def test_the_length_of_data_is_a_difference_of_labels() -> None:
    assert assemble("mov al, end - text; text: db 'hello'; end:").code[:2].hex() == "b005"


@pytest.mark.parametrize("text", ["db 256", "dw 70000", "dw 'x', 'yz'", "db", "a: nop; a: nop", "rax: nop", "9: nop"])
def test_data_and_labels_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(AssemblerError):
        assemble(text)


def test_branches_grow_until_they_reach() -> None:
    assembly = assemble("jmp far_away;" + "nop;" * 200 + "far_away: jmp far_away")
    assert (assembly.code[0], assembly.labels["far_away"]) == (0xE9, 205)


def test_a_chain_of_branches_that_lengthen_one_another_settles() -> None:
    count = 2000
    text = "".join(f"a{number}: jmp a{number + 41};" for number in range(count))
    text += "".join(f"a{number}:" for number in range(count, count + 42)) + "nop"
    assembly = assemble(text)
    for number in range(count):
        at = assembly.labels[f"a{number}"]
        size = 2 if assembly.code[at] == 0xEB else 5
        distance = int.from_bytes(assembly.code[at + 1 : at + size], "little", signed=True)
        assert at + size + distance == assembly.labels[f"a{number + 41}"]


def test_a_branch_without_a_long_form_that_does_not_reach_is_refused() -> None:
    with pytest.raises(AssemblerError, match="0xc8 bytes away, out of reach of loop"):
        assemble("loop far_away;" + "nop;" * 200 + "far_away:")


_SHAPES: dict[str, Callable[[int], str]] = {
    "labels": lambda count: "".join(f"a{number}: jmp a{number};" for number in range(count)),
    "label operands": lambda count: "".join(f"a{number}: lea rax, [rel a{number}];" for number in range(count)),
    "equal instructions": lambda count: "nop;" * count,
    "different instructions": lambda count: "".join(f"mov eax, {number};" for number in range(count)),
    "lines": lambda count: "\n\n" * count,
    "comments": lambda count: "/* a */ // b\n" * count,
    "data": lambda count: "db 10" + ", 11" * count,
    "data with labels": lambda count: "a: dq a" + ", a" * count,
    "terms": lambda count: "a: mov rax, 0" + " + a - a" * count,
    "warnings": lambda count: "mov al, 11\n" * count,
    "branches that grow": lambda count: "jmp a\n" * count + "nop\n" * 128 + "a:",
    "a comment that is not closed": lambda count: "/* " * count,
}


@pytest.mark.lasting
@pytest.mark.parametrize("shape", _SHAPES)
def test_time_is_proportional_to_the_text(shape: str) -> None:
    def seconds(count: int) -> float:
        text = _SHAPES[shape](count)
        began = time.process_time()
        with contextlib.suppress(AssemblerError):
            assemble(text, radix=16)
        return time.process_time() - began

    assemble("nop")
    few = min(seconds(500) for _ in range(2))
    assert any(seconds(4000) < 8 * few * 3 + 0.01 for _ in range(3))


def test_the_number_of_statements_is_limited() -> None:
    limits = replace(DEFAULT_LIMITS, max_assembly_statements=10)
    assert len(assemble("nop;" * 10, limits=limits).code) == 10
    with pytest.raises(AssemblerError, match="max_assembly_statements") as caught:
        assemble("nop;" * 11, limits=limits)
    assert caught.value.column == 41
    with pytest.raises(AssemblerError, match="max_assembly_statements"):
        assemble("db " + ", ".join("12345678"), limits=limits)


def test_numbers_of_any_length_are_read_or_refused() -> None:
    assert assemble("mov al, " + "0" * 90 + "10", radix=16).code.hex() == "b010"
    for digits in ("0" * 5000 + "10", "0n" + "9" * 5000, "1" * 5000, "-0x" + "f" * 5000):
        with pytest.raises(AssemblerError, match="number"):
            assemble(f"mov rax, {digits}", radix=16)


def test_without_keystone_the_message_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    assembler_process.stop()
    monkeypatch.setitem(sys.modules, "keystone", None)
    with pytest.raises(AssemblerError, match="keystone-engine"):
        assemble("nop")


@settings(max_examples=often(60, 600), deadline=None)
@given(st.text(st.sampled_from("movraxb[]+*-0x19,:;.'\"\n /<gs \x00é"), max_size=40))
def test_no_text_does_more_than_raise_an_assembler_error(text: str) -> None:
    with contextlib.suppress(AssemblerError):
        assemble(text)
