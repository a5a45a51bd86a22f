"""Without llvmlite every family of things runs in Python, with the same output."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hds_guests import command_line, listing_file

BLOCKED = 'raise ImportError("blocked", name="llvmlite")\n'
_RUN = """
import json, sys
from hds_guests import command_line
ran = [command_line(*line) for line in json.load(sys.stdin)]
print(json.dumps([(one.code, one.output, one.errors) for one in ran]))
"""
LOOP = (
    "mov ebx, 20; next: mov eax, 0x27; syscall; mov [rsp - 8], rbx; add r12, [rsp - 8]; dec ebx; jnz next; "
    "mov eax, 60; xor edi, edi; syscall"
)
EVENTS = {
    "script": "!syscall script { .n = .n + 1; if (.n % 5 == 0) { printf(\"%llx %llx\\n\", .n, @rbx); } }",
    "condition": "!syscall asm condition { mov rax, [rcx+18]; and eax, 1 } script { printf(\"%llx\\n\", @rbx); }",
    "code": "!syscall asm code { inc qword ptr [rdx+60] } script { printf(\"%llx\\n\", @rbx); }",
    "epthook": "!epthook 40000a script { printf(\"%llx %llx\\n\", $context, @rbx); }",
    "monitor": "!monitor rw @rsp-8 @rsp-1 script { printf(\"%llx %llx\\n\", @rip, @rbx); }",
    "sysret": "!sysret script { printf(\"%llx\\n\", @rbx); }",
}  # fmt: skip


@pytest.mark.lasting
def test_the_output_is_the_same(tmp_path: Path) -> None:
    path = listing_file(tmp_path, LOOP)
    lines = [["run", "--kernel", "linux", *(("-e", event) if event else ()), path] for event in EVENTS.values()]
    lines.append(["eval", "-e", 'for (int i = 0; i < 5; i++) { printf("%d %s", i * i, "x"); }'])
    stub = tmp_path / "stub" / "llvmlite"
    stub.mkdir(parents=True)
    (stub / "__init__.py").write_text(BLOCKED)
    ran = subprocess.run(
        [sys.executable, "-c", _RUN], input=json.dumps(lines), capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(stub.parent), *sys.path))},
    )  # fmt: skip
    here = [command_line(*line) for line in lines]
    assert json.loads(ran.stdout) == [[one.code, one.output, one.errors] for one in here]
    assert [one.code for one in here] == [0] * len(here)
    assert all(one.output for one in here)
