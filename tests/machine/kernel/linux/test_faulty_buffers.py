"""Agreement with reality: writes from buffers that end at a page that is not there, by faulty_buffers.c."""

from __future__ import annotations

from pathlib import Path

import pytest
from linux_guests import build, emulated, linux_release
from native_runs import native_outputs

pytestmark = pytest.mark.programs

SOURCE = Path(__file__).with_name("faulty_buffers.c").read_text()


def test_what_is_taken_of_a_buffer_that_cannot_be_read_to_its_end_is_what_linux_takes(tmp_path: Path) -> None:
    if linux_release() < (6, 17):
        pytest.skip("these are the answers of Linux 6.17 and later")
    program = build(SOURCE, "glibc", tmp_path, "-w")
    ran = emulated(program, (), tmp_path)
    here = ran.output, ran.exit_code
    assert here == native_outputs([program], tmp_path).like(here)
