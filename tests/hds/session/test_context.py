"""The state at a stop in full: what changed, what addresses lead to, where the code comes from."""

from __future__ import annotations

from hds_guests import CALLS, CODE, shown


def parts(text: str) -> dict[str, list[str]]:
    """The lines of the last context in a text, by title."""
    found: dict[str, list[str]] = {}
    title = ""
    for line in text.splitlines():
        if line.startswith("--[ "):
            title = line.split()[1]
            found[title] = []
        elif title:
            found[title].append(line)
    return found


def test_a_stop_is_one_line_unless_it_is_wished() -> None:
    assert shown("t", CALLS).count("\n") == 1
    assert list(parts(shown("settings context on\nt", CALLS))) == ["registers", "code", "stack", "calls"]
    assert shown("settings context on\nsettings context off\nt", CALLS).splitlines()[-1].startswith("00000000`")


def test_registers_that_changed_have_a_mark() -> None:
    registers = parts(shown("settings context on\nt\nt", CALLS))["registers"]
    assert [line.split()[0] for line in registers if line.startswith("*")] == ["*rsp", "*rip"]
    assert registers[-1].endswith("[cf pf af zf sf tf IF df of]")


def test_code_has_an_arrow_and_what_addresses_lead_to() -> None:
    found = parts(shown("settings context on\nt\nt", CALLS))
    arrows = [line for line in found["code"] if line.startswith("-> ")]
    assert len(arrows) == 1
    assert f"{CODE + 0x10:016x}" in arrows[0]
    assert arrows[0].endswith(" push rbp")
    assert found["stack"][0].endswith(f"{CODE + 10:016x} : call 0x0000000000400010")
    assert found["calls"][0].split() == ["->", "0", f"{CODE + 0x10:016x}"]


def test_a_context_is_shown_where_nothing_is_mapped() -> None:
    found = parts(shown("settings context on\nr rip = 10\nr rsp = 20\n~ 0", CALLS))
    assert found["code"] == ["-> 0000000000000010   the memory here holds no instruction"]
    assert found["stack"] == ["   0000000000000020 is not mapped"]
