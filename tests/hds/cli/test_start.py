"""What a start imports. Time is made of it, and does not depend on the day."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from engines import need_machine_code
from hds_guests import elf_file
from source_trees import PACKAGES, ROOT

pytestmark = pytest.mark.lasting

need_machine_code()

LIBRARIES = {
    *("capstone", "demangle", "keystone", "lark", "llvmlite.binding"),
    *("json", "pandas", "prompt_toolkit", "pyarrow", "rich", "unicorn"),
}
_WATCHED = """
import os, sys
def leave(code):
    names = sorted(sys.modules)
    import json
    sys.stdout.flush()
    print(json.dumps([code, names]), file=sys.__stderr__, flush=True)
    real(code)
real, os._exit = os._exit, leave
from hds.cli.start import entry
entry()
"""
GUEST = "lea rdi, [rsp - 64]; mov ecx, 3; rep stosq; mov eax, 39; syscall; xor edi, edi; mov eax, 60; syscall"


def imported(*arguments: str) -> set[str]:
    """The names of the modules that a process of hds has at its end."""
    ran = subprocess.run(
        [sys.executable, "-c", _WATCHED, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    code, names = json.loads(ran.stderr.splitlines()[-1])
    assert code == 0, ran.stderr
    return set(names)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Paths of two command files, a script, and a guest, by name."""
    folder = tmp_path_factory.mktemp("start")
    texts = {
        "commands": b'!syscall script { printf("%llx\\n", @rax); }\ng\n',
        "counts": b"!syscall 27 script { .n = .n + 1; }\n",
        "script": b'x = 1; printf("%d\\n", x + 2);\n',
    }
    for name, data in texts.items():
        (folder / name).write_bytes(data)
    return {name: str(folder / name) for name in texts} | {"guest": elf_file(folder / "guest", GUEST)}


# Of hds's own modules there may be a few more than there are: each takes half a millisecond.
@pytest.mark.parametrize(
    ("arguments", "libraries", "most"),
    [
        (("--version",), set(), 22),
        (("explain", "E001"), set(), 71),
        (("check", "{script}"), set(), 95),
        (("check", "{counts}"), set(), 126),
        (("eval", "-e", "print(1);"), set(), 99),
        (("run", "{commands}", "{guest}"), {"unicorn"}, 370),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)  # fmt: skip
def test_a_start_imports_what_it_uses(
    files: dict[str, str], arguments: tuple[str, ...], libraries: set[str], most: int
) -> None:
    words = [files.get(word.strip("{}"), word) for word in arguments]
    imported(*words)  # what is compiled is kept
    names = imported(*words)
    assert names & LIBRARIES == libraries
    ours = [name for name in names if name.partition(".")[0] in PACKAGES]
    assert len(ours) <= most, len(ours)


def test_without_kept_code_a_run_has_llvm_and_the_same_output(files: dict[str, str], tmp_path: Path) -> None:
    line = [sys.executable, "-m", "hds", "run", files["commands"], files["guest"]]
    outputs = []
    for cache in ("", str(tmp_path / "new"), str(tmp_path / "new")):
        ran = subprocess.run(
            line, cwd=ROOT, env={**os.environ, "HDS_CACHE": cache}, capture_output=True, text=True, check=True
        )
        outputs.append((ran.stdout, ran.stderr))
    assert outputs[0] == outputs[1] == outputs[2]
    assert len(list((tmp_path / "new").iterdir())) > 3
