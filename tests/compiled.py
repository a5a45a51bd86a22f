"""Programs that tests have compiled: each once, whichever worker asks first, by all that goes into it."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
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
    _KEPT.mkdir(parents=True, exist_ok=True)
    with kept.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
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
