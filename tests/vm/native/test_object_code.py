"""Object files in memory: what LLVM makes of texts runs, and damaged files are refused."""

from __future__ import annotations

import ctypes
import struct

import pytest
from engines import need_machine_code
from hypothesis import given, strategies as st

need_machine_code()

from vm.native import code_cache, jit  # noqa: E402
from vm.native.object_code import BadObject, MachineCode, c_function, load  # noqa: E402

_NUMBER = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)

TABLE = """
@table = internal constant [4 x i64] [i64 3, i64 1, i64 4, i64 1]
@functions = internal constant [2 x ptr] [ptr @twice, ptr @look]
define internal i64 @twice(i64 %n) noinline { %d = shl i64 %n, 1  ret i64 %d }
define internal i64 @look(i64 %n) noinline {
  %at = getelementptr i64, ptr @table, i64 %n
  %v = load i64, ptr %at
  ret i64 %v
}
define i64 @run(i64 %n) {
  %which = and i64 %n, 1
  %at = getelementptr ptr, ptr @functions, i64 %which
  %f = load ptr, ptr %at
  %r = call i64 %f(i64 %n)
  ret i64 %r
}
"""
SWITCH = """
define i64 @run(i64 %n) {
  switch i64 %n, label %other [ i64 0, label %a  i64 1, label %b  i64 2, label %c  i64 3, label %d  i64 4, label %e ]
a: ret i64 70
b: ret i64 33
c: ret i64 12
d: ret i64 95
e: ret i64 41
other: ret i64 -1
}
"""
OUTSIDE = """
declare i64 @llabs(i64)
declare i64 @test.of.elsewhere(i64)
@address = internal constant ptr @llabs
define i64 @run(i64 %n) {
  %a = call i64 @llabs(i64 %n)
  %b = call i64 @test.of.elsewhere(i64 %a)
  %f = load volatile ptr, ptr @address
  %c = call i64 %f(i64 %b)
  ret i64 %c
}
"""


def object_of(text: str, tier: jit.Tier = jit.OPTIMISED) -> bytes:
    machine = jit.target_machine(tier)
    made: bytes = machine.emit_object(jit.optimised(text, machine, tier))
    return made


def called(code: MachineCode, number: int) -> int:
    result: int = _NUMBER(code.address("run"))(number)
    return result


@pytest.mark.parametrize("tier", [jit.OPTIMISED, jit.BASELINE])
def test_code_finds_its_own_tables_and_functions(tier: jit.Tier) -> None:
    code = load(object_of(TABLE, tier), c_function)
    assert [called(code, number) for number in range(4)] == [0, 1, 4, 1]


@pytest.mark.parametrize("tier", [jit.OPTIMISED, jit.BASELINE])
def test_code_jumps_by_its_own_tables(tier: jit.Tier) -> None:
    code = load(object_of(SWITCH, tier), c_function)
    assert [called(code, number) for number in range(-1, 6)] == [-1, 70, 33, 12, 95, 41, -1]


def test_functions_of_elsewhere_are_called() -> None:
    negated = _NUMBER(lambda number: -10 * number)
    ours = {"test.of.elsewhere": ctypes.cast(negated, ctypes.c_void_p).value or 0}
    code = load(object_of(OUTSIDE), lambda name: ours.get(name) or c_function(name))
    assert called(code, -7) == 70


def test_a_function_that_nobody_has_is_named() -> None:
    with pytest.raises(BadObject, match=r"test\.of\.elsewhere"):
        load(object_of(OUTSIDE), c_function)


def test_code_cannot_be_written() -> None:
    code = load(object_of(SWITCH), c_function)
    start = code.address("run")
    with open("/proc/self/maps", encoding="ascii") as file:
        lines = [line.split() for line in file]
    rights = [row[1] for row in lines if int(row[0].split("-")[0], 16) <= start < int(row[0].split("-")[1], 16)]
    assert [each[:3] for each in rights] == ["r-x"]


GOOD = object_of(TABLE)


@given(st.integers(0, len(GOOD)))
def test_a_file_that_is_cut_off_is_refused_or_whole(size: int) -> None:
    try:
        load(GOOD[:size], c_function)
    except BadObject:
        return
    assert size >= struct.unpack_from("<Q", GOOD, 40)[0]


def test_what_was_compiled_before_needs_no_llvm(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("HDS_CACHE", f"{tmp_path}/kept")
    assert called(jit.compile_text(SWITCH), 3) == 95
    monkeypatch.setattr(jit, "target_machine", None)
    assert called(jit.compile_text(SWITCH), 3) == 95
    with pytest.raises(TypeError):
        jit.compile_text(TABLE)
    assert code_cache.MOST_CACHED_BYTES > 1 << 20
