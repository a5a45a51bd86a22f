"""Agreement with reality: the calls that a script sees, the output and the exit code are those of a native run.

The guest sees the folder as its root and has the same user, environment and (empty) standard input. What remains
different, and is the same in every test: the program's own path, process ids, addresses and times.
"""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest
from linux_guests import BUILDS, Ran, build, busybox, emulated, natively

pytestmark = pytest.mark.programs

COMMANDS = {
    "echo": ("echo", "hello", "world"),
    "cat": ("cat", "fruit", "numbers"),
    "missing file": ("cat", "nothing"),
    "ls": ("ls", "folder"),
    "ls -ln": ("ls", "-ln", "folder"),
    "sha256sum": ("sha256sum", "fruit", "numbers"),
    "md5sum": ("md5sum", "numbers"),
    "sort": ("sort", "-r", "fruit"),
    "sort -n": ("sort", "-n", "numbers"),
    "uniq": ("uniq", "-c", "fruit"),
    "grep": ("grep", "-n", "an", "fruit"),
    "grep without a match": ("grep", "xyz", "fruit"),
    "awk": ("awk", "{ s += $1 } END { print s, NR }", "numbers"),
    "sed": ("sed", "-e", "s/a/A/g", "fruit"),
    "wc": ("wc", "fruit", "numbers"),
    "head": ("head", "-n", "2", "fruit"),
    "tail": ("tail", "-n", "2", "numbers"),
    "cut": ("cut", "-c", "1-3", "fruit"),
    "tr": ("tr", "a", "b"),
    "expr": ("expr", "6", "*", "7"),
    "seq": ("seq", "1", "5"),
    "dd": ("dd", "if=numbers", "bs=7", "count=3"),
    "od": ("od", "-c", "fruit"),
    "find": ("find", "folder"),
    "du": ("du", "-s", "folder/inner"),
    "stat": ("stat", "-c", "%s %F %a", "fruit"),
    "readlink": ("readlink", "folder/link"),
    "test": ("test", "-d", "folder"),
    "false": ("false",),
    "gzip": ("gzip", "-c", "numbers"),
    "gunzip": ("gunzip", "-c", "packed.gz"),
    "mkdir": ("mkdir", "-p", "made/deep/er"),
    "touch": ("touch", "-d", "2020-01-01 00:00", "new"),
    "cp": ("cp", "fruit", "copy"),
    "mv": ("mv", "fruit", "moved"),
    "rm -r": ("rm", "-r", "folder"),
    "ln -s": ("ln", "-s", "fruit", "soft"),
    "chmod": ("chmod", "600", "fruit"),
    "sh loop": ("sh", "-c", "for i in 1 2 3; do echo $((i * i)); done; cd folder; pwd >/dev/null; exit 3"),
    "sh redirection": ("sh", "-c", "echo text >out; read line <out; echo got $line; umask 77; echo x >>private"),
    "cmp": ("cmp", "fruit", "numbers"),
    "sleep": ("sleep", "0"),
    "basename": ("basename", "/a/b.c", ".c"),
    "printf": ("printf", "%05d %s\\n", "42", "x"),
}


def make_files(folder: Path) -> Path:
    """The folder that commands work on; twice the same."""
    (folder / "folder" / "inner").mkdir(parents=True)
    (folder / "fruit").write_text("banana\nbanana\napple\ncherry\n")
    (folder / "numbers").write_text("".join(f"{n * 7919 % 1000}\n" for n in range(100)))
    (folder / "folder" / "one").write_text("1")
    (folder / "folder" / "link").symlink_to("one")
    (folder / "packed.gz").write_bytes(gzip.compress(b"packed text\n" * 50, mtime=0))
    for path in (*folder.rglob("*"), folder):  # long ago for both: the guest has a clock of its own
        os.utime(path, (1e9, 1e9), follow_symlinks=False)
    return folder


def both(program: Path, arguments: tuple[str, ...], tmp_path: Path) -> tuple[Ran, Ran]:
    """The native run and the one here, each in a fresh folder."""
    folders = [make_files(tmp_path / name) for name in ("native", "emulated")]
    native = natively(program, arguments, folders[0], tmp_path / "trace")
    return native, emulated(program, arguments, folders[1])


@pytest.mark.parametrize("arguments", COMMANDS.values(), ids=COMMANDS.keys())
def test_busybox_makes_the_calls_it_makes_natively(arguments: tuple[str, ...], tmp_path: Path) -> None:
    native, here = both(busybox(), arguments, tmp_path)
    assert (here.output, here.exit_code, here.files) == (native.output, native.exit_code, native.files)
    assert here.calls == native.calls


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
    assert (here.output, here.exit_code) == (native.output, native.exit_code)
    assert here.exit_code == 8
    assert here.calls == native.calls


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
    assert (here.output, here.exit_code) == (native.output, native.exit_code)
    assert here.output == b"1 2 3 4\n"
