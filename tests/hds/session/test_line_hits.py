"""How often lines of scripts were executed (`--record lines`)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from engines import need_machine_code
from hds_guests import TWO_CALLS, command_line, listing_file

import hds
from hds.report.records import LineHits
from hds.session import line_hits_of
from vm import Engine
from vm.facts.limits import Limits

SCRIPT = """\
// what calls do
!syscall script {
    if (@rax == 1) { print(1); }
    elsif (@rax == 2) {
        print(2);
    } else {
        for (i = 0; i < 5; i++) {
            x = i;
        }
    }
}
print 1
"""
GUEST = "mov rax, 1; syscall; mov rax, 2; syscall; mov rax, 3; syscall; mov rax, 4; syscall; hlt"
LOOP = "mov rbx, 300; again: mov rax, 1; syscall; dec rbx; jnz again; hlt"


def hits_of(engine: Engine, commands: str, guest: str = GUEST, **options: Any) -> list[LineHits]:
    made = hds.Session(guest.encode(), kind="asm", engine=engine, record="lines", **options)
    made.execute(commands)
    made.run()
    return list(line_hits_of(made))


def counts(found: LineHits) -> dict[int, int]:
    return {number: hits for number, (hits, _) in enumerate(found.lines, 1) if hits is not None}


def test_lines_are_counted_on_wish_only(engine: Engine) -> None:
    made = hds.Session(GUEST.encode(), kind="asm", engine=engine)
    made.execute("print 1")
    assert list(line_hits_of(made)) == []


def test_a_line_has_the_count_of_its_blocks(engine: Engine) -> None:
    (found,) = hits_of(engine, SCRIPT)
    assert [text for _, text in found.lines] == SCRIPT.splitlines()
    assert counts(found) == {3: 4, 4: 3, 5: 1, 7: 2 * 6, 8: 2 * 5, 12: 1}


def test_an_included_line_has_the_hits_of_all_scripts(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "part.hds").write_text("int twice(int n) {\n    return 2 * n;\n}\n")
    include = f'#include "{tmp_path / "part.hds"}"'
    script = f"!syscall script {{\n{include}\nprint(twice(3));\n}}\n"
    found = {Path(each.file).name: counts(each) for each in hits_of(engine, script + script, TWO_CALLS)}
    assert found["part.hds"] == {1: 4, 2: 4}
    assert found["<text>"] == {3: 2, 7: 2}


def test_scripts_beyond_the_limit_are_not_counted(engine: Engine) -> None:
    (found,) = hits_of(engine, "print 1\nprint 2\nprint 3", limits=Limits(max_counted_instructions=8))
    assert 0 < len(counts(found)) < 3
    assert not found.is_complete


def test_cores_that_run_at_the_same_time_lose_no_hit() -> None:
    need_machine_code()
    made = hds.Session(cores=2, parallel=True, kernel="bare", record="lines")
    for _ in range(2):
        made.load(LOOP.encode(), "asm")
    made.execute("!syscall script {\n.n = 1;\n}")
    made.run()
    (found,) = line_hits_of(made)
    assert counts(found) == {2: 600}


@pytest.mark.parametrize("engine_name", ["reference", "native"])
def test_counting_changes_nothing_else(tmp_path: Path, engine_name: str) -> None:
    if engine_name == "native":
        need_machine_code()
    script, guest = tmp_path / "calls.hds", listing_file(tmp_path, GUEST)
    script.write_text(SCRIPT)
    words = ("run", "--format", "json", "--engine", engine_name, str(script), guest)
    plain = command_line(*words).output.splitlines()
    counted = command_line(words[0], "--record", "lines", *words[1:]).output.splitlines()
    *rest, hits, summary = counted
    assert [*rest, summary] == plain
    made = json.loads(hits)
    assert (made["type"], made["file"], made["complete"]) == ("lines", str(script), True)
    assert made["lines"][0] == {"hits": None, "text": "// what calls do"}


def test_people_are_shown_the_script_with_its_hits(tmp_path: Path) -> None:
    ran = command_line(
        "run", "--record", "lines", "--quiet", "-e", "print 1\n// no more\nprint 2", listing_file(tmp_path)
    )
    assert ran.errors.splitlines()[-4:] == [
        "<command line>: 2 of 2 lines with code were executed",
        "         1  print 1",
        "            // no more",
        "         1  print 2",
    ]
