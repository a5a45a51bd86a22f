"""Windows programs of ours on Wine's DLLs: a folder laid out like C:, programs built from `programs/`, and their runs.

HDS_WINE_DEBS names a folder into which Debian's libwine and libz-mingw-w64 are unpacked (default: build/wine); no Wine
ever runs. Tests skip where that or the cross compiler is missing. HDS_WHEELS names a folder with the wheels of ninja,
clang-format and ruff for win_amd64 and for Linux (default: build/wheels).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from unittest import mock

import pytest
from source_trees import ROOT

from hds.session.engines import load_engine
from machine.kernel.linux import World
from machine.kernel.nt.kernel import NtKernel
from machine.loaders import LoadError, PeFile
from machine.loaders.modules import imports_of
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
_WANTED = (
    "apisetschema.dll", "ntdll.dll", "kernel32.dll", "msvcrt.dll", "ucrtbase.dll", "advapi32.dll", "version.dll",
    "cmd.exe", "winmm.dll", "ws2_32.dll", "powrprof.dll", "shell32.dll", "userenv.dll", "dbghelp.dll", "bcrypt.dll",
    "msvcp140.dll", "vcruntime140.dll", "vcruntime140_1.dll",
)  # fmt: skip
_OPTIONS = {
    "free": ("-nostdlib", "-Wl,-e,start", "-lntdll"),
    "k32": ("-nostdlib", "-Wl,-e,start", "-lkernel32"),
    "thr": ("-static",),
    "prng": ("-shared", "-nostdlib", "-Wl,-e,DllMain"),
}

MISSING = (
    None
    if _WINE.is_dir() and shutil.which(COMPILER) is not None
    else f"Debian's libwine unpacked in {DEBS.name} (HDS_WINE_DEBS), or {COMPILER} is missing"
)
needs_wine = pytest.mark.skipif(MISSING is not None, reason=MISSING or "")


@cache
def _closure() -> tuple[Path, ...]:
    """The DLLs that the wanted ones need."""
    waiting, found = list(_WANTED), dict[str, Path]()
    while waiting:
        name = waiting.pop()
        path = _ZLIB if name == "zlib1.dll" else _WINE / name
        if name in found or not path.is_file():
            continue
        found[name] = path
        try:
            waiting += imports_of(PeFile(path.read_bytes()))
        except LoadError:
            continue
    return tuple(found.values())


def _place(source: Path, target: Path) -> None:
    """Without copying, where both lie on one file system."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def make_root(root: Path, programs: Path, *names: str) -> Path:
    """A folder like C: with Wine's DLLs and these programs in C:\\prog."""
    system, own = root / "Windows" / "System32", root / "prog"
    system.mkdir(parents=True)
    own.mkdir()
    for path in (*_closure(), *_NLS.glob("*.nls")):
        _place(path, system / path.name)
    for name in names:
        shutil.copyfile(build(programs, name), own / f"{name}.exe")
    return root


def build(folder: Path, name: str) -> Path:
    """The program of this name, built once."""
    target = folder / f"{name}.exe"
    if not target.exists():
        source = next(PROGRAMS.glob(f"{name}.c*"))
        compiler = COMPILER if source.suffix == ".c" else COMPILER.replace("gcc", "g++")
        options = _OPTIONS.get(name, ("-static",) if source.suffix == ".cpp" else ())
        subprocess.run([compiler, "-O1", str(source), "-o", str(target), *options], check=True, timeout=120)
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
