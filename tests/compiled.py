"""Programs that tests have compiled: each once, whichever worker asks first, by all that goes into it."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from pathlib import Path

from source_trees import ROOT

_KEPT = ROOT / "build" / "guests"


@cache
def _compiler(name: str) -> str:
    """Which one it is; another one may make another program."""
    path = Path(shutil.which(name) or name).resolve()
    return f"{path} {path.stat().st_size} {path.stat().st_mtime_ns}" if path.exists() else ""


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Nobody else makes the file meanwhile."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def precompiled(compiler: Sequence[str], header: str) -> list[str]:
    """Options by which this compiler, with these options, has the header first, as it was read once for all programs.

    A large one takes longer to read than the program behind it.
    """
    first = _KEPT / sha256("\0".join([_compiler(compiler[0]), *compiler, header]).encode()).hexdigest() / "first.h"
    with _alone(first):
        if not first.exists():
            source, made = first.with_suffix(".new.h"), first.with_suffix(".h.gch")
            source.write_text(f"#include <{header}>\n")
            subprocess.run([*compiler, "-o", str(made), str(source)], check=True, timeout=300)
            source.rename(first)
    return ["-include", str(first)]


def compiled(
    command: Sequence[str], target: Path, sources: Sequence[Path] = (), environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a compiler, which writes `target` and reads `sources`; or copy what it has made of the same before.

    Where those lie does not count, so what says so, such as a line of debug information, may be of another folder.
    """
    environment, row = environment or {}, [*command]
    for path in (*sources, target):
        row = [word.replace(str(path), path.name) for word in row]
    row += [_compiler(command[0]), *(sha256(source.read_bytes()).hexdigest() for source in sources), repr(environment)]
    kept = _KEPT / sha256("\0".join(row).encode()).hexdigest()
    with _alone(kept):
        if not kept.exists():
            merged = {**os.environ, **environment}
            done = subprocess.run(command, env=merged, capture_output=True, text=True, check=False, timeout=300)
            if done.returncode:
                return done
            made = kept.with_suffix(f".{os.getpid()}")
            shutil.copy(target, made)
            made.rename(kept)
            return done
    shutil.copy(kept, target)
    return subprocess.CompletedProcess(command, 0, "", "")
