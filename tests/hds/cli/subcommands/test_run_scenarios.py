"""The documented scenarios as files that a user can run (events-and-commands G.5).

Each `scenarios/NAME.hds` says in its first lines with which options and guest it is run; `NAME.out` is what that writes
to a terminal, without the summary. `PYTHONPATH=tests/hds:tests/hds/report python` of this file writes them anew.
"""

from __future__ import annotations

import json
import os
import re
import socket
import sys
from pathlib import Path

import pytest
from hds_guests import command_line_together, session

from hds.session.refused import ScriptError

# Those that are tests in Python.
IN_PYTHON = {30: "test_forwarding_to_a_file_and_a_connection", 31: "test_json_lines_in_a_file"}
FOLDER = Path(__file__).parent / "scenarios"
SCENARIOS = sorted(FOLDER.glob("*.hds"))
_HEADER = re.compile(r"// (hds|guest): (.*)")


def arguments(scenario: Path) -> list[str]:
    """The command line of a scenario, behind `hds`, in its folder."""
    header = dict(_HEADER.findall(scenario.read_text()))
    return ["run", "--quiet", *header.get("hds", "").split(), scenario.name, header["guest"]]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.stem)
def test_a_scenario_writes_what_is_documented(scenario: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER)
    assert command_line_together(*arguments(scenario)) == scenario.with_suffix(".out").read_text()


def test_every_guest_and_script_of_the_scenarios_is_used() -> None:
    texts = "".join(scenario.read_text() for scenario in SCENARIOS)
    for path in FOLDER.iterdir():
        if path.suffix in (".asm", ".script"):
            assert path.name in texts


def test_every_documented_scenario_is_a_test() -> None:
    files = {int(scenario.name[:2]) for scenario in SCENARIOS}
    assert sorted({*files, *IN_PYTHON}) == list(range(1, 39))
    assert not [name for name in IN_PYTHON.values() if name not in globals()]


def test_forwarding_to_a_file_and_a_connection(tmp_path: Path) -> None:
    """30: both get the bytes of the messages, the console gets none; a closed source is refused."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port, path = server.getsockname()[1], tmp_path / "log.txt"
        made, said = session((FOLDER / "calls.asm").read_text())
        made.execute(
            f'output create log file "{path}"\noutput create net tcp 127.0.0.1:{port}\noutput open log\n'
            'output open net\n!syscall output {log, net} script { printf("%llx;", @rax); }'
        )
        peer, _ = server.accept()
        said.take()
        made.run()
        assert "55;" not in said.take()
        with pytest.raises(ScriptError, match="closed"):
            made.execute("output close log\n!syscall output {log} script { print(1); }")
        made.close()
        with peer:
            assert b"".join(iter(lambda: peer.recv(64), b"")) == path.read_bytes() == b"55;ee;55;"


def test_json_lines_in_a_file(tmp_path: Path) -> None:
    """31: printf makes the separators and the line ends."""
    path = tmp_path / "log.jsonl"
    made, _ = session((FOLDER / "calls.asm").read_text())
    record = '{\\"number\\": \\"%llx\\", \\"pid\\": %d}\\n'
    made.execute(
        f'output create log file "{path}"\noutput open log\n'
        f'!syscall output {{log}} script {{ printf("{record}", @rax, $pid); }}'
    )
    made.run()
    made.close()
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {"number": number, "pid": 0x1000} for number in ("55", "ee", "55")
    ]


if __name__ == "__main__":
    os.chdir(FOLDER)
    for each in SCENARIOS:
        each.with_suffix(".out").write_text(command_line_together(*arguments(each)))
    sys.exit(0)
