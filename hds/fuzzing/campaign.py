"""A campaign: cases of some laws, one after the other; failures are shrunk and saved.

Case number k of a law depends on the seed, the law and k only, so a campaign with a number of cases is deterministic.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from hds.fuzzing.choices import Choices, RandomSource, RecordedSource
from hds.fuzzing.laws import Case, Law, NativeMissing
from hds.fuzzing.shrinking import Kept, shrunk
from vm import write_file


class Failure(msgspec.Struct, frozen=True):
    """A law that a case breaks; the case is as small as it could be made."""

    law: Law
    seed: int
    number: int
    case: Case
    why: str

    @property
    def stem(self) -> str:
        """The name of its file, without the suffix."""
        return f"{self.law.name}_{self.seed}_{self.number}"


def broken_by(law: Law, case: Case) -> str | None:
    """How a case breaks a law; an exception is the worst way. NativeMissing is let through."""
    try:
        return law.check(case)
    except NativeMissing:
        raise
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def try_case(law: Law, seed: int, number: int, kept: Kept | None = None) -> Failure | None:
    """One case; what breaks the law is made small, and kept."""
    return _tried(law, RandomSource(f"{seed}/{law.name}/{number}"), seed, number, kept)


def try_kept(law: Law, kept: Kept) -> list[Failure]:
    """The failures of earlier campaigns that are still ones; the others are forgotten."""
    failures = []
    for number, numbers in enumerate(kept.of(law.name)):
        failure = _tried(law, RecordedSource(numbers), 0, -number - 1, kept)
        if failure is None:
            kept.delete(law.name, numbers)
        else:
            failures.append(failure)
    return failures


def _tried(
    law: Law, source: RandomSource | RecordedSource, seed: int, number: int, kept: Kept | None
) -> Failure | None:
    case = law.make(Choices(source))
    why = broken_by(law, case)
    if why is None:
        return None
    case, why, numbers = shrunk(law.make, lambda smaller: broken_by(law, smaller), source.taken, case, why)
    if kept is not None:
        kept.save(law.name, numbers)
    return Failure(law, seed, number, case, why)


def run(
    laws: Sequence[Law],
    seed: int,
    *,
    cases: int | None,
    seconds: float | None,
    found: Callable[[Failure], None],
    kept: Kept | None = None,
) -> tuple[int, int, set[str]]:
    """Try what is `kept`, then cases of all laws in turn, by weight, until either budget is used up.

    Returns how many passed and failed, and the laws that need an engine that is not here.
    """
    rounds = [law for law in laws for _ in range(law.weight)]
    deadline = None if seconds is None else time.monotonic() + seconds
    numbers = dict.fromkeys((law.name for law in laws), 0)
    passed = failed = at = 0
    skipped: set[str] = set()
    for law in laws if kept is not None else ():
        try:
            failures = try_kept(law, kept) if kept is not None else []
        except NativeMissing:
            skipped.add(law.name)
            continue
        failed += len(failures)
        for each in failures:
            found(each)
    while len(skipped) < len(laws) and (cases is None or passed + failed < cases):
        if deadline is not None and time.monotonic() >= deadline:
            break
        law = rounds[at % len(rounds)]
        at += 1
        if law.name in skipped:
            continue
        numbers[law.name] += 1
        try:
            failure = try_case(law, seed, numbers[law.name], kept)
        except NativeMissing:
            skipped.add(law.name)
            continue
        passed, failed = passed + (failure is None), failed + (failure is not None)
        if failure is not None:
            found(failure)
    return passed, failed, skipped


# --- files ------------------------------------------------------------------------------------------------------------


def saved(failure: Failure, folder: Path) -> Path:
    """Write a failure as a file that `hds run` takes; bytecode goes into a `.hdc` file beside it.

    Raises OSError, vm.files.FileRefused.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{failure.stem}.hds"
    header = f"// law {failure.law.name}: {failure.law.doc}\n// seed {failure.seed}, case {failure.number}\n"
    reason = " ".join(failure.why.split())[:200]
    header += f"// {''.join(character if character.isprintable() else '.' for character in reason)}\n"
    if isinstance(failure.case, bytes):
        write_file(path.with_suffix(".hdc"), failure.case)
        header += f"// hds disasm {path.with_suffix('.hdc').name}\n"
        write_file(path, header.encode())
        return path
    write_file(path, (header + as_command_file(failure)).encode("utf-8", "surrogatepass"))
    return path


def as_command_file(failure: Failure) -> str:
    """The text of a case, framed so that it runs: a script is the block of a `?` command."""
    text = failure.case
    assert isinstance(text, str)
    if failure.law.name in ("commands", "text", "assembly", "carriers", "isolation", "loaded") or text.startswith("?"):
        return text
    return f"? {{\n{text}}}\n" if not text.startswith("{") else f"? {text}\n"


def saved_case(path: Path) -> tuple[str, Case]:
    """The law and the case of a file that `saved` wrote. Raises ValueError for any other file."""
    text = path.read_bytes().decode("utf-8", "surrogatepass")
    words = text.split(maxsplit=3)
    if words[:2] != ["//", "law"]:
        raise ValueError(f"{path} does not begin with `// law NAME:`")
    name = words[2].removesuffix(":")
    data = path.with_suffix(".hdc")
    if data.exists():
        return name, data.read_bytes()
    # The header is a comment in every language that a case may be written in, but not in assembly.
    lines = text.split("\n")
    while lines and lines[0].startswith("//") and not lines[0].startswith("// limit"):
        lines.pop(0)
    return name, "\n".join(lines)
