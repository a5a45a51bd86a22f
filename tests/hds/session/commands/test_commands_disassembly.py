"""`u`, `u2` and `a`, and the style of their lines (events-and-commands E.3, E.4)."""

from __future__ import annotations

import pytest
from hds_guests import refused, shown

from lang.compiler import Compiler
from lang.symbols import SymbolTable
from machine.debugger.disassembly import disassemble, jump_note
from machine.root.assembler import assemble


def text_of(listing: str, address: int = 0x7FF6_1000_1000) -> str:
    return next(disassemble(assemble(listing, address=address).code, address)).text


@pytest.mark.parametrize(
    ("listing", "text"),
    [
        ("mov qword ptr [rsp+8], rcx", "mov qword ptr ss:[rsp+0x08], rcx"),
        ("mov eax, [rax+rcx*4-0x20]", "mov eax, dword ptr ds:[rax+rcx*4-0x20]"),
        ("mov rax, gs:[0x188]", "mov rax, qword ptr gs:[0x0000000000000188]"),
        ("mov eax, [rip+8]", "mov eax, dword ptr ds:[0x00007FF61000100E]"),
        ("lea rax, [rbp-0x10]", "lea rax, [rbp-0x10]"),
        ("a: jmp a", "jmp 0x00007FF610001000"),
        ("a: jne a", "jnz 0x00007FF610001000"),
        ("a: jae a", "jnb 0x00007FF610001000"),
        ("setg al", "setnle al"),
        ("mov eax, 0xabc", "mov eax, 0xABC"),
        ("add rax, -1", "add rax, 0xFFFFFFFFFFFFFFFF"),
        ("mov rax, 0x1122334455667788", "mov rax, 0x1122334455667788"),
        ("rep movsb", "rep movsb"),
        ("movsd xmm0, qword ptr [rax]", "movsd xmm0, qword ptr ds:[rax]"),
        ("syscall", "syscall"),
        ("sysretq", "sysret"),
    ],
)
def test_the_intel_style_shows_sizes_segments_and_upper_case_digits(listing: str, text: str) -> None:
    assert text_of(listing) == text


def test_a_line_has_address_bytes_and_text_in_columns() -> None:
    line = next(disassemble(bytes.fromhex("48894c2408"), 0x7FF6_1000_1000))
    assert str(line) == ("00007ff6`10001000    48 89 4C 24 08                      mov qword ptr ss:[rsp+0x08], rcx")


CF, PF, ZF, SF, OF = 1, 4, 0x40, 0x80, 0x800


@pytest.mark.parametrize(
    ("mnemonic", "taken", "not_taken"),
    [
        ("jo", OF, 0), ("jno", 0, OF), ("jb", CF, 0), ("jae", 0, CF), ("je", ZF, 0), ("jne", 0, ZF), ("jbe", ZF, 0),
        ("jbe", CF, 0), ("ja", 0, CF), ("js", SF, 0), ("jns", 0, SF), ("jp", PF, 0), ("jnp", 0, PF),
        ("jl", SF, SF | OF), ("jge", SF | OF, OF), ("jle", ZF, 0), ("jg", 0, ZF),
    ],
)  # fmt: skip
def test_conditional_jumps_say_whether_they_are_taken(mnemonic: str, taken: int, not_taken: int) -> None:
    line = next(disassemble(assemble(f"a: {mnemonic} a").code, 0))
    assert (jump_note(line, taken), jump_note(line, not_taken)) == (" [taken]", " [not taken]")


def test_other_instructions_say_nothing_about_jumping() -> None:
    assert jump_note(next(disassemble(b"\xeb\xfe", 0)), 0) == ""


CODE = "mov eax, 1; ret; db 0xff, 0xff"


def test_u_ends_at_an_invalid_instruction() -> None:
    assert shown("u 400000", CODE) == (
        "00000000`00400000    B8 01 00 00 00                      mov eax, 0x01\n"
        "00000000`00400005    C3                                  ret\n"
    )


def test_u_takes_a_length_in_bytes() -> None:
    assert len(shown("u 400000 l 5", CODE).splitlines()) == 1


def test_u_marks_physical_addresses() -> None:
    place, _, instruction = shown("!u virtual_to_physical(400000) l 5", CODE).partition("    ")
    assert place.startswith("#\t00000000`")
    assert shown("u 400000 l 5", CODE) == f"00000000`00400000    {instruction}"


def test_u2_decodes_32_bit_code_and_says_that_the_program_is_not() -> None:
    text = shown("u2 400000 l 2", "db 0x48, 0xc3")
    assert text == (
        "the program is 64-bit code: u decodes it as such\n"
        "00000000`00400000    48                                  dec eax\n"
        "00000000`00400001    C3                                  ret\n"
    )


def test_u_names_what_a_symbol_covers() -> None:
    compiler = Compiler(symbols=SymbolTable({"guest!main": 0x40_0000, "guest!end": 0x40_0005}))
    text = shown("u guest!main\nu 400005 l 1\nsettings addressconversion off\nu 400000 l 5", CODE, compiler=compiler)
    assert [line for line in text.splitlines() if "`" not in line] == [
        "guest!main:", "guest!end:", "guest!end:", "set address conversion to disabled",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("syntax", "text"), [("att", "movl $1, %eax"), ("masm", "mov eax, 1"), ("intel", "mov eax, 0x01")]
)
def test_settings_syntax_changes_the_style(syntax: str, text: str) -> None:
    assert shown(f"settings syntax {syntax}\nu 400000 l 5", CODE).splitlines()[1].endswith(text)


def test_u_needs_one_readable_address() -> None:
    assert refused("u", CODE).startswith("incorrect use of the 'u'")
    assert refused("u 9999999", CODE) == "err, invalid address"


def test_a_writes_code_and_shows_its_bytes() -> None:
    text = shown("a 400000 { xor eax, eax; ret }\nu 400000 l 3", CODE)
    assert text == (
        "generated: 3 bytes, 2 statements\n31 c0 c3\nsuccessfully assembled at 0000000000400000 address\n"
        "00000000`00400000    31 C0                               xor eax, eax\n"
        "00000000`00400002    C3                                  ret\n"
    )


def test_a_without_an_address_in_front_only_shows_the_bytes() -> None:
    assert shown("a { jmp 0x400010 } 400000\ndb 400000 l 1", CODE) == (
        "generated: 2 bytes, 1 statements\neb 0e\n00000000`00400000  B8" + " ??" * 15 + "  .\n"
    )


def test_a_evaluates_expressions_in_angle_brackets() -> None:
    assert "b8 55 00 00 00" in shown("r rbx = 50\na { mov eax, <@rbx+5> }", CODE)


def test_a_reads_numbers_as_hexadecimal_and_says_so() -> None:
    text = shown("a { mov eax, 10 }", CODE)
    assert text.startswith("10 is hexadecimal here: 0x10; write 0n10 for decimal (line 1, column 11)\n")
    assert "b8 10 00 00 00" in text


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("a 400000", "incorrect use of the 'a': a ADDRESS {STATEMENTS} [pid P]"),
        ("a 9999999 { nop }", "err, the address is not mapped in the layout of the process (c000000c)"),
        ("a { mov eax, <nothing_here> }", "err, couldn't resolve error at 'nothing_here'"),
    ],
)
def test_a_says_what_is_wrong(command: str, message: str) -> None:
    assert refused(command, CODE).startswith(message.split("\n")[0])


def test_a_reports_the_assembler() -> None:
    assert refused("a { bogus eax }", CODE).startswith("err, ")
