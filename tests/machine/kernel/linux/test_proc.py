"""/proc and /sys of Linux guests: their own processes and machine, in the form that the native ones have."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from linux_guests import build, busybox
from linux_world import SCRATCH, Guest
from test_linux_processes import ran

from machine.kernel.linux.errors import Errno
from machine.kernel.linux.proc.files import PROC, SYS
from machine.kernel.linux.proc.system import FEATURE_WORDS

# What is the same in every line of a file here and natively: its labels, or how many words it has.
LABELS = ("status", "limits")
COUNTED = ("stat", "statm")
NUMBER = re.compile(rb"[0-9a-f]+")


def text(path: str, guest: Guest | None = None) -> str:
    data = (guest or Guest()).contents(path)
    assert isinstance(data, bytes), data
    return data.decode()


def own(name: str) -> str:
    return text(f"/proc/self/{name}")


@pytest.mark.parametrize("name", LABELS)
def test_labels_are_those_of_linux_in_its_order(name: str) -> None:
    label = re.compile(r".{26}" if name == "limits" else r"[^:]*")
    here = [label.match(row)[0] for row in own(name).splitlines()]  # type: ignore[index]
    native = [label.match(row)[0] for row in Path(f"/proc/self/{name}").read_text().splitlines()]  # type: ignore[index]
    assert [label for label in native if label in here] == here


@pytest.mark.parametrize("name", COUNTED)
def test_rows_have_as_many_words_as_natively(name: str) -> None:
    assert len(own(name).split()) == len(Path(f"/proc/self/{name}").read_text().split())


def test_mappings_have_the_columns_of_linux() -> None:
    row = re.compile(r"[0-9a-f]{8,}-[0-9a-f]{8,} [r-][w-][x-][ps] [0-9a-f]{8} [0-9a-f]{2}:[0-9a-f]{2} \d+ ( *\S.*)?")
    here = own("maps").splitlines()
    assert all(row.fullmatch(line) for line in here)
    assert here[-1].index("[stack]") == 73
    assert all(row.fullmatch(line) for line in Path("/proc/self/maps").read_text().splitlines())


@pytest.mark.parametrize("name", ["meminfo", "cpuinfo", "stat", "uptime", "loadavg", "version", "swaps", "self/mounts"])
def test_files_of_the_machine_look_as_natively(name: str) -> None:
    here = text(f"/proc/{name}")
    native = Path(f"/proc/{name}").read_text()
    words = [line.split()[0] for line in here.splitlines() if line and not line[0].isdigit()]
    known = {line.split()[0] for line in native.splitlines() if line}
    assert set(words) - known <= {"hds", "tmpfs", "devtmpfs", "proc", "sysfs", "microcode", "bugs"}
    assert len(here.splitlines()[0].split()) == len(native.splitlines()[0].split()) or name in (
        "version",
        "self/mounts",
    )


@pytest.mark.parametrize("path", [f"/proc/{path}" for path in PROC] + [f"/sys/{path}" for path in SYS])
def test_every_file_of_the_table_can_be_read_again_and_again(path: str) -> None:
    guest = Guest()
    path = path.replace("PID", "4096").replace("TID", "4096")
    if guest.call("readlinkat", -100, path, SCRATCH, 100) > 0:
        return
    descriptor = guest.open(path)
    assert descriptor >= 0
    first = guest.read(descriptor)
    assert guest.call("lseek", descriptor, 0, 0) == 0
    assert isinstance(first, bytes)
    again = guest.read(descriptor)
    assert isinstance(again, bytes)
    assert NUMBER.sub(b"", again) == NUMBER.sub(b"", first)


def test_processor_has_the_features_that_cpuid_announces() -> None:
    flags = re.search(r"flags\t\t: (.*)", text("/proc/cpuinfo"))
    assert flags is not None
    assert {"sse4_2", "avx"} & set(flags[1].split()) == {"sse4_2"}


def test_a_name_that_is_written_is_the_threads() -> None:
    guest = Guest()
    descriptor = guest.open("/proc/self/comm", 1)
    assert guest.call("write", descriptor, b"other\n", 6) == 6
    assert guest.contents("/proc/self/comm") == b"other\n"
    assert "(other)" in text("/proc/thread-self/stat", guest)


def test_nothing_can_be_made_or_changed_there() -> None:
    guest = Guest()
    assert guest.open("/proc/sys/kernel/hostname", 1) == -Errno.EACCES
    assert guest.open("/proc/self/maps", 2) == -Errno.EACCES
    assert guest.call("mkdir", "/proc/new", 0o755) == -Errno.ENOENT
    assert guest.call("unlink", "/proc/self/stat") == -Errno.EPERM
    assert guest.call("rename", "/proc/uptime", "/proc/other") == -Errno.EPERM
    assert guest.open("/proc/1") == guest.open("/proc/04096") == guest.open("/proc/self/fd/77") == -Errno.ENOENT
    assert guest.open("/proc/" + "9" * 200) == -Errno.ENOENT
    assert guest.open("/proc/PID") == guest.open("/proc/self/task/TID") == -Errno.ENOENT


def test_the_hosts_proc_is_never_read() -> None:
    guest = Guest(Path("/"))
    assert guest.contents("/proc/version") == Guest().contents("/proc/version")
    assert guest.open("/proc/net/snmp") == guest.open("/sys/class") == -Errno.ENOENT


def test_descriptors_are_links_to_what_they_stand_for() -> None:
    guest = Guest()
    descriptor = guest.open("/tmp/file", 0o102)
    guest.call("write", descriptor, b"text", 4)
    assert guest.call("readlink", f"/proc/self/fd/{descriptor}", SCRATCH, 100) == len("/tmp/file")
    again = guest.open(f"/dev/fd/{descriptor}")
    assert again > descriptor
    assert guest.read(again) == b"text"
    guest.call("unlink", "/tmp/file")
    size = guest.call("readlink", f"/proc/self/fd/{descriptor}", SCRATCH, 100)
    assert guest.memory(SCRATCH, size) == b"/tmp/file (deleted)"
    guest.call("pipe2", SCRATCH, 0)
    reading, writing = (int.from_bytes(guest.memory(SCRATCH + at, 4), "little") for at in (0, 4))
    size = guest.call("readlink", f"/proc/self/fd/{writing}", SCRATCH, 100)
    assert re.fullmatch(rb"pipe:\[\d+\]", guest.memory(SCRATCH, size))
    copy = guest.open(f"/proc/self/fd/{writing}", 1)
    assert guest.call("write", copy, b"through", 7) == 7
    assert guest.read(reading) == b"through"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("root")
    (folder / "bin").mkdir()
    (folder / "bin" / "busybox").write_bytes(busybox().read_bytes())
    (folder / "bin" / "busybox").chmod(0o755)
    for name in ("sh", "ps", "cat", "sleep", "pidof", "top", "free", "mount", "df", "uptime", "ls", "readlink", "kill"):
        (folder / "bin" / name).symlink_to("busybox")
    return folder


COMMANDS = {
    "ps -o pid,ppid,comm": r"PID +PPID +COMMAND\n +4096 +1 ps\n",
    "sh -c 'sleep 9 & ps -o comm,args; kill $!'": (r"COMMAND +COMMAND\nsh +/bin/sh -c .*\nsleep +sleep 9\nps +.*\n"),
    "sh -c 'sleep 9 & pidof sleep; echo $!; kill $!'": r"(\d+)\n\1\n",
    "top -bn1": (
        r"Mem: \d+K used, \d+K free,.*\nCPU: .*\nLoad average: 0.00 0.00 0.00 1/1 4096\n"
        r" +PID .*\n +4096 .* /bin/top -bn1\n+"
    ),
    "free": r" +total +used +free +shared +buff/cache +available\nMem: +1048576 .*\nSwap: +0 +0 +0\n",
    "mount": r"hds on / .*\nproc on /proc .*\nsysfs on /sys .*\n(.*\n)*",
    "df": r"Filesystem .*\nhds +262144 .* /\n(dev)?tmpfs .*\n(.*\n)*",
    "uptime": r" 00:00:00 up 0 min, .*load average: 0.00, 0.00, 0.00\n",
    "cat /proc/self/cmdline": "/bin/cat\0/proc/self/cmdline\0",
    "readlink /proc/self/exe": "/bin/busybox\n",
    "sh -c 'readlink /proc/$$/cwd'": "/\n",
    "ls /proc/self/fd": "0\n1\n2\n3\n",
    "ls /proc/self/task": r"\d+\n",
}


@pytest.mark.programs
@pytest.mark.parametrize("command", COMMANDS)
def test_tools_find_what_they_look_for(command: str, root: Path) -> None:
    name, *arguments = shlex.split(command)
    heard, _ = ran(root / "bin" / name, tuple(arguments), root)
    assert re.fullmatch(COMMANDS[command], heard.output.decode()), heard.output.decode()


MAPS = r"""
#include <cpuid.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
static void *other(void *unused) { pause(); return 0; }
int main(int count, char **arguments) {
    char line[512]; int code = 0, data = 0, stack = 0, hole = 0;
    char *page = mmap(0, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    FILE *maps = fopen("/proc/self/maps", "r");
    while (fgets(line, sizeof line, maps)) {
        unsigned long start, end; char rights[5];
        sscanf(line, "%lx-%lx %4s", &start, &end, rights);
        if (start <= (unsigned long)main && (unsigned long)main < end && !strcmp(rights, "r-xp"))
            code += !!strstr(line, "program");
        stack += start <= (unsigned long)line && (unsigned long)line < end && strstr(line, "[stack]");
        hole += start <= (unsigned long)page && (unsigned long)page < end && !strcmp(rights, "---p");
    }
    pthread_t thread; pthread_create(&thread, 0, other, 0);
    FILE *status = fopen("/proc/self/status", "r");
    while (fgets(line, sizeof line, status)) if (!strncmp(line, "Threads", 7)) fputs(line, stdout);
    memset(arguments[0], 'x', strlen(arguments[0]));
    status = fopen("/proc/self/cmdline", "r"); fgets(line, sizeof line, status);
    printf("%d %d %d %c\n", code, stack, hole, line[0]);
    int child = fork();
    if (!child) _exit(3);
    siginfo_t info;
    waitid(P_PID, child, &info, WEXITED | WNOWAIT);
    sprintf(line, "/proc/%d/stat", child);
    status = fopen(line, "r"); fgets(line, sizeof line, status);
    printf("%.13s\n", strstr(line, " ("));
    unsigned a, b, c, d, e, f, g, h;
    __cpuid(1u, a, b, c, d); __cpuid(0x80000001u, e, f, g, h);
    printf("%u %u %u %u ", d, h, c, g);
    __cpuid_count(7u, 0u, a, b, c, d); printf("%u ", b);
    return 0;
}
"""


@pytest.mark.programs
def test_programs_find_themselves(tmp_path: Path) -> None:
    program = build(MAPS, "glibc", tmp_path)
    heard, summary = ran(program, (), tmp_path)
    *lines, features = heard.output.decode().splitlines()
    assert (lines, summary.exit_code) == (["Threads:\t2", "1 1 1 x", " (program-gli"], 0)
    assert tuple(map(int, features.split())) == FEATURE_WORDS


def test_free_memory_and_messages_of_the_kernel_are_told_as_to_a_user() -> None:
    guest = Guest()
    told = guest.contents("/proc/vmstat")
    assert isinstance(told, bytes)
    assert told.startswith(b"nr_free_pages ")
    assert guest.call("syslog", 3, "x" * 20, 20) == guest.call("syslog", 10, 0, 0) == -Errno.EPERM
