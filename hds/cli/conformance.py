"""Conformance vectors: their two forms, and what it takes to pass one (`hds conform`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from hds.json_text import read_json
from lang import Compilation, Compiler, Severity, SourceFile
from lang.codes import PORTABILITY
from vm import Engine, GlobalStore, MemoryHost
from vm.facts.limits import Limits
from vm.facts.numbers import SCRIPT, number_in

# Where portability rows start (language.md 1.2): registers, and a page that is mapped whatever else is.
START_REGISTERS: Mapping[str, int] = {
    "rax": 0x11, "rcx": 0x22, "rdx": 0x33, "rbx": 0x44, "rsp": 0x10000800, "rbp": 0x10000900, "rsi": 0x55, "rdi": 0x66,
    **{f"r{number}": number for number in range(8, 16)},
}  # fmt: skip
START_PAGE = (0x1000_0000, 0x1000, b"")
_UNSEEN = frozenset(row.code for row in PORTABILITY if row.seen == "n")


class MalformedVector(ValueError):  # noqa: N818 - it names what it reports
    """A line of a vector file is none."""


class Vector(msgspec.Struct, frozen=True):
    """A script, the world before it, and what is expected of it. `code`: of a compile error; `remark`: to be named."""

    id: str
    script: str
    registers: Mapping[str, int]
    memory: Sequence[tuple[int, int, bytes]]
    status: str
    stdout: bytes | None = None
    runtime_kind: str | None = None
    code: str | None = None
    remark: str | None = None
    registers_after: Mapping[str, int] = msgspec.field(default_factory=dict)
    memory_after: Sequence[tuple[int, bytes]] = ()


class Verdict(msgspec.Struct, frozen=True):
    """What came of a vector: the differences between expected and got, one line each."""

    id: str
    script: str
    differences: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether there is no difference."""
        return not self.differences


def read_vectors(text: str) -> list[Vector]:
    """The vectors of a file, one JSON object a line. Raises MalformedVector."""
    vectors = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = read_json(line)
            vectors.append(_portability(row, number) if "portability" in row else _language(row))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise MalformedVector(f"line {number} is no vector: {type(error).__name__} {error}") from None
    return vectors


def _number(text: str) -> int:
    value = number_in(text, SCRIPT)
    if value is None:
        raise ValueError(f"{text} is no 64-bit number")
    return value


def _memory(rows: list[dict[str, Any]]) -> list[tuple[int, int, bytes]]:
    return [(_number(row["address"]), int(row["size"]), bytes.fromhex(row["bytes"])) for row in rows]


def _language(row: dict[str, Any]) -> Vector:
    stdout = row.get("stdout")
    return Vector(
        id=str(row["id"]),
        script=str(row["script"]),
        registers={name: _number(value) for name, value in row.get("registers", {}).items()},
        memory=_memory(row.get("memory", [])),
        status=str(row["status"]),
        stdout=str(stdout).encode("utf-8", "surrogateescape") if stdout is not None else None,
        runtime_kind=row.get("runtime_kind"),
        registers_after={name: _number(value) for name, value in row.get("registers_after", {}).items()},
        memory_after=[(_number(part["address"]), bytes.fromhex(part["bytes"])) for part in row.get("memory_after", [])],
    )


def _portability(row: dict[str, Any], number: int) -> Vector:
    here = row["here"]
    stdout = here.get("stdout")
    remark = str(row["portability"])
    return Vector(
        id=f"{remark}, line {number}",
        script=str(row["script"]),
        registers=START_REGISTERS,
        memory=[START_PAGE, *_memory(row.get("memory", []))],
        status=str(here["status"]),
        stdout=str(stdout).encode("utf-8", "surrogateescape") if stdout is not None else None,
        runtime_kind=here.get("runtime_kind"),
        code=here.get("code"),
        remark=None if remark in _UNSEEN else remark,
    )


class Runner:
    """Judges vectors on one engine or several; each vector starts with fresh globals."""

    def __init__(self, engines: Sequence[Engine], limits: Limits) -> None:
        self.engines = engines
        self.limits = limits

    def judge(self, vector: Vector) -> Verdict:
        """Compile and run the vector's script on every engine, and compare."""
        compiler = Compiler(self.limits, portability=vector.remark is not None)
        made = compiler.compile(SourceFile(vector.id, vector.script))
        differences = _compile_differences(vector, made)
        if made.program is not None and vector.status != "compile_error":
            for engine in self.engines:
                prefix = f"{engine.name}: " if len(self.engines) > 1 else ""
                differences += [prefix + text for text in self._run(vector, made, engine)]
        return Verdict(vector.id, vector.script, tuple(differences))

    def _run(self, vector: Vector, made: Compilation, engine: Engine) -> list[str]:
        assert made.program is not None
        host = MemoryHost.with_memory(vector.registers, vector.memory)
        result = engine.run(engine.load(made.program, GlobalStore(self.limits)), host)
        status = "ok" if result.fault is None else f"runtime_error {result.fault.kind.value}"
        expected = "ok" if vector.status == "ok" else f"{vector.status} {vector.runtime_kind or ''}".rstrip()
        if vector.runtime_kind is None and vector.status != "ok":
            status = status.split()[0]
        pairs: list[tuple[str, object, object]] = [("status", expected, status)]
        if vector.stdout is not None:
            pairs.append(("stdout", vector.stdout, b"".join(host.messages)))
        for name, value in vector.registers_after.items():
            pairs.append((name, f"0x{value:x}", f"0x{host.registers.get(name, 0):x}"))
        for address, data in vector.memory_after:
            pairs.append((f"memory at 0x{address:x}", data, host.read_memory(address, len(data)) or b""))
        return [_difference(what, wanted, got) for what, wanted, got in pairs if wanted != got]


def _compile_differences(vector: Vector, made: Compilation) -> list[str]:
    errors = [item for item in made.diagnostics if item.severity is Severity.ERROR]
    differences = []
    if vector.status == "compile_error":
        if made.ok:
            differences.append(_difference("status", "compile_error", "it compiles"))
        elif vector.code is not None and vector.code not in {item.code for item in errors}:
            differences.append(_difference("code", vector.code, ", ".join(item.code for item in errors)))
    elif not made.ok:
        first = errors[0] if errors else None
        got = f"compile_error {first.code}: {first.message}" if first else "compile_error"
        differences.append(_difference("status", vector.status, got))
    found = {item.code for item in made.diagnostics}
    if vector.remark is not None and vector.remark not in found:
        differences.append(_difference("remark", vector.remark, ", ".join(sorted(found)) or "none"))
    return differences


def _difference(what: str, expected: object, got: object) -> str:
    if what.startswith("memory") and isinstance(expected, bytes) and isinstance(got, bytes):
        at = next((i for i, (a, b) in enumerate(zip(expected, got, strict=False)) if a != b), 0)
        return f"{what} + 0x{at:x}: expected {expected[at : at + 16].hex()}, got {got[at : at + 16].hex() or 'nothing'}"
    return f"{what}: expected {_shown(expected)}, got {_shown(got)}"


def _shown(value: object) -> str:
    return repr(value.decode("utf-8", "backslashreplace")) if isinstance(value, bytes) else str(value)
