"""`r`, `rdmsr`, `wrmsr`, `cpu`, `cpuid` (events-and-commands E.2)."""

from __future__ import annotations

import pytest
from hds_guests import lines, refused, shown

ALL = """\
RAX=0000000000000055 RBX=0000000000000000 RCX=0000000000000000
RDX=0000000000000000 RSI=0000000000000000 RDI=0000000000000001
RIP=000000000040000e RSP=00007fffffffef00 RBP=0000000000000000
R8 =0000000000000000 R9 =0000000000000000 R10=0000000000000000
R11=0000000000000000 R12=0000000000000000 R13=0000000000000000
R14=0000000000000000 R15=0000000000000000 IOPL=00
OF 0  DF 0  IF 1  SF  0
ZF 0  PF 0  CF 0  AXF 0
CS 0033 SS 002b DS 0000 ES 0000 FS 0000 GS 0000
RFLAGS=0000000000000202
"""


def test_r_shows_ten_lines_of_the_state_at_the_trigger() -> None:
    text = shown("r rsp = 7fffffffef00\n!syscall 55\ng\nr", kernel="bare")
    assert text.partition("syscall\n")[2] == ALL


@pytest.mark.parametrize(
    ("command", "line"),
    [
        ("r rdi", "rdi=0000000000000001"),
        ("r @rdi", "rdi=0000000000000001"),
        ("r cs", "cs=0000000000000033"),
        ("r if", "if=0000000000000001"),
        ("r al", "al=0000000000000055"),
    ],
)
def test_r_shows_one_register_flag_or_part(command: str, line: str) -> None:
    assert shown(f"!syscall 55\ng\n{command}").endswith(line + "\n")


def test_r_assigns_the_value_of_an_expression_without_output() -> None:
    assert shown("r rcx = 0n16 + 2\nr rcx") == "rcx=0000000000000012\n"


def test_r_reads_registers_on_the_right_side() -> None:
    assert shown("r rbx = 7\nr rcx = rbx + rbx + 10\nr rcx") == "rcx=000000000000001e\n"


def test_r_keeps_the_rest_of_a_register_when_a_part_is_assigned() -> None:
    assert shown("r rax = 1122334455667788\nr al = 0xff\nr rax") == "rax=11223344556677ff\n"


def test_r_changes_what_the_guest_goes_on_with() -> None:
    text = shown(lines("!syscall 66 script { print(@rbx); }", "!syscall 55", "g", "r rbx = 40", "g"))
    assert text.endswith("\n41\n")


@pytest.mark.parametrize("command", ["r RAX", "r xyz", "r xyz = 1"])
def test_r_refuses_names_that_are_no_register(command: str) -> None:
    assert refused(command).startswith("err, invalid register '")


def test_r_needs_exactly_one_equals_sign() -> None:
    assert refused("r rax == 1").startswith("incorrect use of the 'r'")
    assert refused("r rax =").startswith("incorrect use of the 'r'")


def test_r_refuses_an_expression_without_value() -> None:
    assert refused("r rax = nothing_at_all") == "err, couldn't resolve error at 'nothing_at_all'"


def test_cpu_names_the_emulated_processor() -> None:
    text = shown("cpu")
    assert text.startswith("Vendor : GenuineIntel\nBrand  : Intel")
    assert "\nSSE2 supported\n" in text
    assert "\nAVX not supported\n" in text


def test_cpuid_shows_the_result_of_a_leaf() -> None:
    assert shown("cpuid 0").endswith(" EBX=756e6547 ECX=6c65746e EDX=49656e69\n")
    assert refused("cpuid").startswith("incorrect use of the 'cpuid'")
    assert refused("cpuid zz") == "err, please specify a correct hex value for the leaf, not 'zz'"


def test_rdmsr_shows_one_line_for_every_core_that_is_asked_for() -> None:
    assert shown("rdmsr c0000082", kernel="bare") == "core : 0x0 - msr[c0000082] = fffff800`00001000\n"
    assert shown("rdmsr 0xc0000082 core 0", kernel="bare").startswith("core : 0x0 - msr[c0000082]")


def test_wrmsr_sets_the_value_of_an_expression_and_shows_an_empty_line() -> None:
    assert shown("wrmsr c0000084 @rip+5\nrdmsr c0000084") == "\ncore : 0x0 - msr[c0000084] = 00000000`00400005\n"


def test_efer_reads_as_the_guest_sees_it_while_system_calls_are_intercepted() -> None:
    before, after = shown("rdmsr c0000080\n!syscall script { }\nrdmsr c0000080").splitlines()
    assert before == after == "core : 0x0 - msr[c0000080] = 00000000`00000501"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("rdmsr", "incorrect use of the 'rdmsr': rdmsr MSR [core C]"),
        ("rdmsr zz", "incorrect use of the 'rdmsr': rdmsr MSR [core C]"),
        ("rdmsr c0000082 core", "err, please specify a value for 'core'"),
        ("rdmsr c0000082 core 9", "err, invalid core id (c0000006)"),
        ("rdmsr 12345", "err, ioctl failed: the msr index or the core is invalid (there is no model-specific register "
                        "12345)"),
        ("wrmsr c0000082", "incorrect use of the 'wrmsr': wrmsr MSR VALUE [core C]"),
        ("wrmsr c0000082 no_value", "err, couldn't resolve error at 'no_value'"),
    ],
)  # fmt: skip
def test_an_msr_that_cannot_be_accessed_is_refused(command: str, message: str) -> None:
    assert refused(command) == message
