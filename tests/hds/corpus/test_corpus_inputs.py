"""Which files a campaign has, what is known of them, and what a script is compiled to."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

pytest.importorskip("pyarrow", reason="pyarrow (extra corpus) is not installed")

from corpus_world import SCRIPT
from hds_guests import command_line

from hds.corpus import BadResults, Budget, NoPrograms, Reading, ScriptRefused, Settings, new_campaign, overview
from hds.corpus.campaign import Campaign
from hds.corpus.comparing import compare_campaigns, lines_of_change
from hds.corpus.inputs import Known, Place, listed_twice, path_of_row, paths_of, row_of_path
from hds.corpus.rows import rows_of, table
from hds.corpus.store import Store
from hds.script_tests import Choice
from lang import SourceFile


def named(*names: str, choice: str | None = None, standard_input: bytes = b"") -> list[str]:
    """The files of these names."""
    return list(paths_of(names, None if choice is None else Choice(choice), io.BytesIO(standard_input)))


def test_programs_are_files_folders_lists_and_standard_input(tmp_path: Path) -> None:
    for name in ("b", "a", "in/d", "in/c"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "list").write_bytes(b"x\r\n\ny")
    inside = [str(tmp_path / name) for name in ("a", "b", "list", "in/c", "in/d")]
    assert named("z", str(tmp_path), f"@{tmp_path}/list", "-", standard_input=b"s\nt\n") == [
        "z", *inside, "x", "y", "s", "t",
    ]  # fmt: skip
    assert named(str(tmp_path), choice="in/ and not c") == [str(tmp_path / "in/d")]


@pytest.mark.parametrize("name", ["@nowhere", "@."])
def test_a_list_that_cannot_be_read_is_an_error(name: str) -> None:
    with pytest.raises(NoPrograms, match="cannot read the list"):
        named(name)


def test_keys_are_known_since_they_were_added_first() -> None:
    known = Known()
    known.add(["a", "b"], 0)
    known.add(["b", "c"], 1)
    assert [known.since(key) for key in "abcd"] == [0, 0, 1, None]
    assert "a" in known
    assert "d" not in known


def test_what_is_read_from_a_pipe_is_listed_as_often_as_it_is_asked() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"a\nb\n")
    os.close(writing)
    try:
        with listed_twice(("x", "-", f"@/dev/fd/{reading}", "-"), io.BytesIO(b"s\n")) as names:
            assert named(*names) == named(*names) == ["x", "s", "a", "b"]
    finally:
        os.close(reading)


def test_a_file_has_the_row_of_its_last_content() -> None:
    known = Known()
    known.add_files([("same", "a"), ("other", "a"), ("several", "a"), ("several", "b")])
    now = [known.place(*each) for each in (("same", "a"), ("other", "b"), ("several", "a"), ("new", "a"))]
    assert now == [Place.SAME, Place.OTHER, Place.OTHER, Place.NEW]
    rows = [("other", "a"), ("several", "a"), ("same", "a"), ("several", "b"), ("other", "b"), ("several", "a")]
    assert [known.keeps(*row) for row in rows] == [False, True, True, False, True, False]


@pytest.mark.parametrize(
    ("path", "text"), [("/a\\xff", "/a\\xff"), ("/a\udcff", "/a\\xff"), ("/\u00e4\n", "/\u00e4\n")]
)
def test_every_path_comes_back(path: str, text: str) -> None:
    row = row_of_path(path)
    assert row["path"] == text
    assert path_of_row(row) == path


def campaign(text: str = SCRIPT, settings: Settings | None = None, name: str = "s.hds") -> Campaign:
    """A campaign with this script."""
    return new_campaign(SourceFile(name, text), None, settings or Settings(), Budget())


def test_a_key_depends_on_program_script_and_options_and_on_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "one.ds").write_text("print(1);")
    by_file = f"!syscall script {{file:{tmp_path}/one.ds}}"
    keys = [
        campaign().key("a" * 64, None),
        campaign().key("b" * 64, None),
        campaign().key("a" * 64, "asm"),
        campaign("? print(1);").key("a" * 64, None),
        campaign(settings=Settings(kernel="bare")).key("a" * 64, None),
        campaign(by_file).key("a" * 64, None),
    ]
    (tmp_path / "one.ds").write_text("print(2);")
    keys.append(campaign(by_file).key("a" * 64, None))
    assert len(set(keys)) == len(keys)
    other_budget = new_campaign(SourceFile("elsewhere/s.hds", SCRIPT), None, Settings(), Budget(timeout=1.0, memory=1))
    assert other_budget.key("a" * 64, None) == keys[0]


def test_a_script_that_names_symbols_is_compiled_for_each_program(tmp_path: Path) -> None:
    (tmp_path / "one.ds").write_text("print(1);")
    assert campaign().is_compiled
    assert not campaign("!epthook libc!open script { print(1); }").is_compiled
    with pytest.raises(ScriptRefused, match="does not compile"):
        campaign("!syscall script { print( }")
    with pytest.raises(ScriptRefused, match="cannot include files"):
        campaign(f'!epthook libc!open script {{\n#include "{tmp_path}/one.ds"\nprint(1); }}')


SUMMARY = {
    "type": "summary", "triggers": 1, "messages": 1, "lost_messages": 0, "instructions": 9, "script_errors": 0,
    "code_errors": 0, "refused_commands": 0, "breaks": 0, "unknown_system_calls": {"1f": 2}, "reached_limits": [],
    "events": [], "cause": "exit", "stopped": "program exited with code 0", "exit_code": 0, "crash": None,
}  # fmt: skip
MESSAGE = {"type": "message", "event": 0, "tick": 1, "pid": 4096, "pc": (1 << 64) - 1, "text": "x", "outputs": []}


def test_records_become_rows() -> None:
    program, messages, triggers = rows_of("k", [MESSAGE, {"type": "unkept", "count": 3}, SUMMARY])
    assert (program["outcome"], program["reason"], program["unkept"]) == ("ok", "program exited with code 0", 3)
    assert table("programs", [program]).to_pylist()[0]["unknown_calls"] == [("1f", 2)]
    assert table("messages", messages).to_pylist()[0]["pc"] == (1 << 64) - 1
    assert triggers == []


def results(folder: Path, said: dict[str, str]) -> Reading:
    """A campaign whose programs, by content, say something."""
    with Store(folder, campaign(name=f"{folder.name}.hds").identity) as store:
        rows = ({"key": f"{name} in {folder.name}", "path": name, "sha256": name, "outcome": "ok"} for name in said)
        messages = (
            {"key": f"{name} in {folder.name}", "number": 0, "type": "message", "text": text}
            for name, text in said.items()
        )
        store.add({"programs": table("programs", rows), "messages": table("messages", messages)})
    return Reading(folder)


def test_campaigns_are_compared_by_content(tmp_path: Path) -> None:
    a = results(tmp_path / "a", {"same": "1", "other": "1", "gone": "1"})
    b = results(tmp_path / "b", {"other": "2", "same": "1", "new": "1"})
    lines = [line.partition(":")[0] for change in compare_campaigns(a, b) for line in lines_of_change(change)]
    assert lines == ["- gone", "~ other", "    texts", "  same", "+ new"]
    assert all(not change.fields for change in compare_campaigns(a, b, ("texts",)))


def test_a_folder_that_is_none_of_a_campaign_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadResults, match="has no results of hds corpus"):
        Reading(tmp_path / "nowhere")


def test_a_file_is_no_folder_of_results(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(BadResults, match="file cannot be read: Not a directory"):
        Reading(tmp_path / "file")
    results(tmp_path / "a", {"x": "1"})
    ran = command_line("diff", str(tmp_path / "a"), str(tmp_path / "nowhere"))
    assert (ran.code, ran.errors) == (2, f"hds: {tmp_path}/nowhere has no results of hds corpus\n")


def test_what_is_counted_is_counted_to_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hds.corpus.summing._MOST_COUNTED", 1)
    with Store(tmp_path, campaign().identity) as store:
        rows = ({"key": str(number), "outcome": "killed", "reason": "ab"[number % 2]} for number in range(5))
        for key, names in enumerate((["read"], ["read", "write"])):
            triggers = ({"key": str(key), "number": number, "name": name} for number, name in enumerate(names))
            store.add({"triggers": table("triggers", triggers)})
        store.add({"programs": table("programs", rows)})
    found = overview(Reading(tmp_path))
    assert found.reasons == [("killed", "a", 3)]
    assert found.calls == [("read", 2)]


def test_words_that_select_nothing_sensible_are_refused(tmp_path: Path) -> None:
    ran = command_line("corpus", "-e", "!cpuid", "-o", str(tmp_path / "results"), str(tmp_path), "--select", "a and (")
    assert (ran.code, ran.output) == (2, "")
    assert "argument --select: a word is missing" in ran.errors
    assert not (tmp_path / "results").exists()
