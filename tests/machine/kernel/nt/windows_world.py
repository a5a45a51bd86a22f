"""Windows programs of ours on Wine's DLLs: a folder laid out like C:, programs built from `programs/`, and their runs.

HDS_WINE_DEBS names a folder into which Debian's libwine and libz-mingw-w64 are unpacked (default: build/wine); no Wine
ever runs. Tests skip where that or the cross compiler is missing. HDS_WHEELS names a folder with the wheels of ninja,
clang-format, ruff and typos for win_amd64 and for Linux (default: build/wheels). HDS_WINDOWS_ROOT names a folder laid
out like C: with Windows' own DLLs; the acceptance tests run on them, too, and change nothing there.
"""

from __future__ import annotations

import os
import re
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from unittest import mock

import pytest
from compiled import compiled, precompiled
from source_trees import ROOT

from hds.session.engines import load_engine
from machine.kernel.linux import World
from machine.kernel.nt.kernel import NtKernel
from machine.loaders import LoadError, PeFile
from machine.loaders.api_sets import host_of, hosts_of, is_api_set, section_of
from machine.loaders.modules import SYSTEM
from machine.loaders.pe_imports import imports_of
from machine.machine import Machine, RunSummary
from machine.options import MachineOptions
from machine.records import GuestOutput, MachineRecord
from machine.schedule import Thread
from vm.facts.limits import DEFAULT_LIMITS

PROGRAMS = Path(__file__).parent / "programs"
WHEELS = Path(os.environ.get("HDS_WHEELS") or ROOT / "build" / "wheels")
DEBS = Path(os.environ.get("HDS_WINE_DEBS") or ROOT / "build" / "wine")
_WINE = DEBS / "usr/lib/x86_64-linux-gnu/wine/x86_64-windows"
_NLS = DEBS / "usr/share/wine/nls"
_ZLIB = DEBS / "usr/x86_64-w64-mingw32/lib/zlib1.dll"
COMPILER = "x86_64-w64-mingw32-gcc"
_COMMANDS = {
    ".c": (COMPILER, "-O1", "-D_WIN32_WINNT=0x0A00"),
    ".cpp": (COMPILER.replace("gcc", "g++-posix"), "-O1"),
    ".go": ("go", "build"),
}
_GO = {"GOOS": "windows", "GOARCH": "amd64", "GO111MODULE": "off"}
_WANTED = (
    "apisetschema.dll", "ntdll.dll", "kernel32.dll", "msvcrt.dll", "ucrtbase.dll", "advapi32.dll", "version.dll",
    "cmd.exe", "winmm.dll", "ws2_32.dll", "powrprof.dll", "shell32.dll", "userenv.dll", "dbghelp.dll", "bcrypt.dll",
    "msvcp140.dll", "vcruntime140.dll", "vcruntime140_1.dll",
    "oleaut32.dll", "secur32.dll", "iphlpapi.dll", "crypt32.dll",
)  # fmt: skip
_OPTIONS = {
    "hello-ucrt": ("-nostdlib", "-Wl,-e,start", "crt-stdio.def", "crt-runtime.def"),
    "free": ("-nostdlib", "-Wl,-e,start", "-lntdll"),
    "k32": ("-nostdlib", "-Wl,-e,start", "-lkernel32"),
    "thr": ("-static",),
    "pools": ("-lsynchronization",),
    "queries": ("-lpsapi",),
    "chance": ("-lbcrypt", "-lrpcrt4"),
    "version": ("-lntdll",),
    "gui": ("-luser32",),
    "reaches": ("-lws2_32",),
    "lacks": ("absent.def",),
    "slots": ("-lpowrprof",),
    "prng": ("-shared", "-nostdlib", "-Wl,-e,DllMain"),
}

MISSING = (
    None
    if _WINE.is_dir() and shutil.which(COMPILER) is not None
    else f"Debian's libwine unpacked in {DEBS.name} (HDS_WINE_DEBS), or {COMPILER} is missing"
)
needs_wine = pytest.mark.skipif(MISSING is not None, reason=MISSING or "")


def _windows_folder() -> Path | None:
    """System32 of HDS_WINDOWS_ROOT, in any spelling."""
    folder = None if not os.environ.get("HDS_WINDOWS_ROOT") else Path(os.environ["HDS_WINDOWS_ROOT"])
    for part in SYSTEM:
        inside = () if folder is None or not folder.is_dir() else folder.iterdir()
        folder = next((path for path in inside if path.name.lower() == part), None)
    return folder


WINDOWS = _windows_folder()
needs_windows = pytest.mark.skipif(
    WINDOWS is None or shutil.which(COMPILER) is None,
    reason=f"HDS_WINDOWS_ROOT names no folder with Windows' own Windows/System32, or {COMPILER} is missing",
)


@cache
def _closure(*folders: Path) -> tuple[Path, ...]:
    """The files of these folders that the wanted DLLs need, and the tables of code pages."""
    there = {path.name.lower(): path for folder in reversed(folders) for path in folder.iterdir()}
    schema = there.get("apisetschema.dll")
    hosts = hosts_of(b"" if schema is None else section_of(PeFile(schema.read_bytes())))
    waiting, found = list(_WANTED), {name: path for name, path in there.items() if name.endswith(".nls")}
    while waiting:
        name = waiting.pop()
        name = host_of(hosts, name) if is_api_set(name) else name
        if name in found or name not in there or not there[name].is_file():
            continue
        found[name] = there[name]
        try:
            waiting += imports_of(PeFile(there[name].read_bytes()))
        except LoadError:
            continue
    return tuple(found.values())


def _place(source: Path, target: Path) -> None:
    """Without copying, where both lie on one file system."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def make_root(root: Path, programs: Path, *names: str, windows: Path | None = None) -> Path:
    """A folder like C: with these programs in C:\\prog, and Wine's DLLs or those of this System32."""
    system, own = root / "Windows" / "System32", root / "prog"
    system.mkdir(parents=True)
    own.mkdir()
    for path in _closure(_WINE, _NLS, _ZLIB.parent) if windows is None else _closure(windows):
        _place(path, system / path.name)
    for name in names:
        shutil.copyfile(build(programs, name), own / f"{name}.exe")
    return root


def build(folder: Path, name: str) -> Path:
    """The program of this name, built once."""
    target = folder / f"{name}.exe"
    if not target.exists():
        source = next(path for path in PROGRAMS.iterdir() if path.stem == name and path.suffix in _COMMANDS)
        options = _OPTIONS.get(name, ("-static",) if source.suffix == ".cpp" else ())
        libraries = [_import_library(folder, option) for option in options if option.endswith(".def")]
        others = [option for option in options if not option.endswith(".def")]
        first = precompiled(_COMMANDS[".c"], "windows.h") if _begins_with_windows(source) else []
        command = [*_COMMANDS[source.suffix], *first, "-o", str(target), str(source), *others, *map(str, libraries)]
        compiled(command, target, [source, *libraries], _GO if source.suffix == ".go" else None).check_returncode()
    return target


def _begins_with_windows(source: Path) -> bool:
    """Whether nothing is different where <windows.h> comes before all else in a C program."""
    head, has_it, _ = source.read_text(encoding="utf-8").partition("#include <windows.h>")
    return (
        source.suffix == ".c"
        and bool(has_it)
        and not re.search(r"#define (?!_WIN32_WINNT 0x0A00)|winsock|winternl", head)
    )


def _import_library(folder: Path, definitions: str) -> Path:
    """What a linker takes for a DLL of which there is only a list of names."""
    target = folder / definitions.replace(".def", ".a")
    source, tool = PROGRAMS / definitions, COMPILER.replace("gcc", "dlltool")
    compiled([tool, "-d", str(source), "-l", str(target)], target, [source]).check_returncode()
    return target


def wheel_of(name: str, platform: str) -> Path | None:
    """The wheel of a published program for win_amd64 or linux."""
    return next(WHEELS.glob(f"{name.replace('-', '_')}-*{platform}*.whl"), None)


def extracted(name: str, platform: str, folder: Path) -> Path:
    """The program in its wheel, put into a folder. Raises FileNotFoundError where there is no wheel."""
    wheel = wheel_of(name, platform)
    if wheel is None:
        raise FileNotFoundError(f"no wheel of {name} for {platform} in {WHEELS.name} (HDS_WHEELS)")
    wanted = f"{name}.exe" if platform == "win_amd64" else name
    with zipfile.ZipFile(wheel) as archive:
        inside = next(entry for entry in archive.namelist() if entry.rpartition("/")[2] == wanted)
        target = folder / wanted
        target.write_bytes(archive.read(inside))
    target.chmod(0o755)
    return target


@dataclass
class Outcome:
    """What a run came to: the output's lines, the calls after the loader's, and the summary."""

    summary: RunSummary | None = None
    text: bytes = b""
    calls: list[str] = field(default_factory=list)

    def report(self, record: MachineRecord, /) -> None:
        """As a `Reporter`."""
        if isinstance(record, GuestOutput):
            self.text += record.data

    @property
    def lines(self) -> list[str]:
        """The output."""
        return self.text.decode().replace("\r\n", "\n").splitlines()

    @property
    def code(self) -> int | None:
        """The exit code."""
        assert self.summary is not None
        return self.summary.exit_code

    @property
    def own(self) -> list[str]:
        """The calls behind the first NtContinue, which the loader makes, without their prefix."""
        return [name.removeprefix("Nt") for name in self.calls[self.calls.index("NtContinue") + 1 :]]


END = ("TerminateProcess", "TerminateProcess")  # of the other threads, then of the process


def missing_in(calls: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """What is not made in this order, whatever stands between."""
    rest = iter(calls)
    return [name for name in wanted if name not in rest]


@contextmanager
def _logged(outcome: Outcome) -> Iterator[None]:
    original = NtKernel.system_call

    def system_call(kernel: NtKernel, thread: Thread) -> None:
        number = thread.process.cpu.registers.read(0) & 0xFFFF_FFFF
        outcome.calls.append(kernel.call_name(number) or f"{number:x}")
        original(kernel, thread)

    with mock.patch.object(NtKernel, "system_call", system_call):
        yield


def run(
    root: Path, name: str, *arguments: str, writable: bool = False, stdin: bytes | None = None,
    registry: tuple[Path, ...] = (), engine: str | None = None,
) -> Outcome:  # fmt: skip
    """Run C:\\prog\\NAME.exe."""
    outcome = Outcome()
    world = World(root, writable, stdin, registry=registry)
    machine = Machine(load_engine(engine, DEFAULT_LIMITS), MachineOptions(world=world), reporter=outcome)
    with _logged(outcome):
        machine.load(root / "prog" / f"{name}.exe", arguments=arguments)
        outcome.summary = machine.run(timeout=120)
    return outcome
