"""Agreement with reality: the calls that a script sees, the output and the exit code are those of a native run.

The guest sees the folder as its root and has the same user, environment and (empty) standard input. What remains
different, and is the same in every test: the program's own path, process ids, addresses and times.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import shlex
import tarfile
import zipfile
from functools import cache
from hashlib import md5
from pathlib import Path

import pytest
from linux_guests import BUILDS, Ran, build, busybox, emulated, natively, without_calls
from native_runs import NativeRuns

pytestmark = pytest.mark.programs

# One command line in each row: arguments as a shell splits them.
COMMANDS = {line: tuple(shlex.split(line)) for line in Path(__file__).with_name("busybox.txt").read_text().splitlines()}

# Why the calls of the first process differ nevertheless.
_NO_ETC = "there is no /etc/passwd and no /etc/group"
OTHER_CALLS = {
    "chown 0:0 fruit": _NO_ETC,
    "id -u": _NO_ETC,
    "pidof nobody": "more processes are looked through",
    "sh -c 'echo a b c | tr a-z A-Z | rev'": "three children end as they do here in one native run of five",
}
SCRIPT = """\
while read word; do case $word in b*) echo "$1 $word";; *) break;; esac; done <fruit
cat <<EOF
${2:-none} $((6 * 7)) $#
EOF
seq 3 | while read n; do echo $n; done | sort -r
test -e nothing || exit 9
"""
CHANGE = """\
--- fruit
+++ fruit
@@ -2,3 +2,3 @@
 banana
-apple
+pear
 cherry
"""


@cache
def compressed() -> dict[str, bytes]:
    """A text as the compressors make it, by the endings of their files."""
    text = b"packed text\n" * 50
    return {
        "gz": gzip.compress(text, mtime=0),
        "bz2": bz2.compress(text),
        "xz": lzma.compress(text, check=lzma.CHECK_CRC32),
        "lzma": lzma.compress(text, lzma.FORMAT_ALONE),
    }


def pack(folder: Path) -> None:
    """Archives of the folder's folder: tar, zip, ar, cpio."""
    with tarfile.open(folder / "packed.tar", "w:") as archive:
        for member in ("folder", "folder/inner", "folder/link", "folder/one"):
            row = archive.gettarinfo(folder / member, member)
            row.mtime, row.uid, row.gid, row.uname, row.gname = 1_000_000_000, 0, 0, "", ""
            archive.addfile(row, (folder / member).open("rb") if row.isreg() else None)
    (folder / "packed.tgz").write_bytes(gzip.compress((folder / "packed.tar").read_bytes(), mtime=0))
    with zipfile.ZipFile(folder / "packed.zip", "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr(zipfile.ZipInfo("one", (2001, 9, 9, 1, 46, 40)), "1" * 100)
    (folder / "packed.ar").write_bytes(
        b"!<arch>\n" + b"%-16s%-12d%-6d%-6d%-8o%-10d`\n1\n" % (b"one/", 10**9, 0, 0, 0o100644, 1)
    )
    rows = [("one", b"1", 0o100644), ("TRAILER!!!", b"", 0)]
    (folder / "packed.cpio").write_bytes(b"".join(cpio_row(*row) for row in rows))


def cpio_row(name: str, data: bytes, mode: int) -> bytes:
    """A member of a cpio archive (the format "newc")."""
    numbers = (7, mode, 0, 0, 1, 10**9, len(data), 0, 0, 0, 0, len(name) + 1, 0)
    head = b"070701" + b"".join(b"%08X" % number for number in numbers) + name.encode() + b"\0"
    return head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)


def make_files(folder: Path) -> Path:
    """The folder that commands work on; twice the same."""
    (folder / "folder" / "inner").mkdir(parents=True)
    (folder / "fruit").write_text("banana\nbanana\napple\ncherry\n")
    (folder / "numbers").write_text("".join(f"{n * 7919 % 1000}\n" for n in range(100)))
    (folder / "folder" / "one").write_text("1")
    (folder / "folder" / "link").symlink_to("one")
    (folder / "table").write_text("a:1:x\nb:3:y\nc:3:z\n        indented\tline\n")
    (folder / "sum.bc").write_text("scale = 20\n2 / 3\nsqrt(2)\ne(1)\nquit\n")
    (folder / "sums").write_text(f"{md5((folder / 'fruit').read_bytes()).hexdigest()}  fruit\n{'0' * 32}  numbers\n")
    (folder / "change.diff").write_text(CHANGE)
    (folder / "script.sh").write_text(SCRIPT)
    (folder / "hex").write_text("48656c6c6f\n")
    (folder / "packed.uu").write_text("begin 644 name\n%2&5L;&\\*\n`\nend\n")
    (folder / "packed.b64").write_text("cGFja2VkIHRleHQK\n")
    for ending, data in compressed().items():
        (folder / f"packed.{ending}").write_bytes(data)
    pack(folder)
    for path in (*folder.rglob("*"), folder):  # long ago for both: the guest has a clock of its own
        os.utime(path, (1e9, 1e9), follow_symlinks=False)
    return folder


def both(program: Path, arguments: tuple[str, ...], tmp_path: Path) -> tuple[NativeRuns[Ran], Ran]:
    """The native runs and the one here, each in a fresh folder."""

    def once(folder: Path) -> Ran:
        return natively(program, arguments, make_files(folder / "files"), folder / "trace")

    return NativeRuns(once, tmp_path), emulated(program, arguments, make_files(tmp_path / "emulated"))


@pytest.mark.parametrize("line", COMMANDS)
def test_busybox_makes_the_calls_it_makes_natively(line: str, tmp_path: Path) -> None:
    native, here = both(busybox(), COMMANDS[line], tmp_path)
    if line in OTHER_CALLS:
        assert without_calls(here) == without_calls(native.like(here, without_calls))
    else:
        assert here == native.like(here)


C_PROGRAM = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ctype.h>
#include <unistd.h>
#include <sys/stat.h>

static __thread int per_thread = 7;

static int compare(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

int main(int argc, char **argv) {
    char *words[] = {"pear", "apple", "fig", "date"};
    qsort(words, 4, sizeof *words, compare);
    for (int i = 0; i < 4; i++) printf("%d %s %zu\n", i, words[i], strlen(words[i]));
    char *large = malloc(1 << 20);
    memset(large, 'x', 1 << 20);
    char *larger = realloc(large, 8 << 20);
    printf("%c %d %.3f %s\n", larger[(1 << 20) - 1], per_thread++, 1.0 / 3.0, argc > 1 ? argv[1] : "-");
    free(larger);
    struct stat row;
    if (stat("fruit", &row) == 0) printf("%lld bytes\n", (long long)row.st_size);
    FILE *file = fopen("written", "w+");
    fprintf(file, "%08lx\n", 0xdeadbeefUL);
    rewind(file);
    char line[64];
    printf("%s", fgets(line, sizeof line, file));
    fclose(file);
    printf("%s\n", getenv("TZ"));
    return per_thread;
}
"""


@pytest.mark.parametrize("kind", BUILDS)
def test_a_static_c_program_behaves_as_natively(kind: str, tmp_path: Path) -> None:
    native, here = both(build(C_PROGRAM, kind, tmp_path), ("argument",), tmp_path)
    assert here.exit_code == 8
    assert here == native.like(here)


NESTED_FUNCTION = r"""
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    int calls = argc - argc;
    int compare(const void *a, const void *b) { calls++; return *(const int *)a - *(const int *)b; }
    int numbers[] = {4, 2, 3, 1};
    qsort(numbers, 4, sizeof *numbers, compare);
    printf("%d %d %d %d\n", numbers[0], numbers[1], numbers[2], numbers[3]);
    return calls;
}
"""


def test_a_nested_function_runs_on_the_stack_that_its_program_asks_for(tmp_path: Path) -> None:
    native, here = both(build(NESTED_FUNCTION, "glibc", tmp_path), (), tmp_path)
    assert here.output == b"1 2 3 4\n"
    assert here == native.like(here)
