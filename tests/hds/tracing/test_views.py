"""How bytes are shown in a trace: the escapes of strace."""

from __future__ import annotations

import pytest

from hds.tracing.views import quoted, with_path


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b"a b", "a b"),
        (b'\n\t\r\f\v"\\', r"\n\t\r\f\v\"\\"),
        (b"\0\1\x7f\xff", r"\0\1\177\377"),
        (b"\0" + b"7", r"\0007"),  # an octal escape that another digit follows has three
        (b"\0" + b"8", r"\08"),
        (b"\xff" + b"0\0\0" + b"1", r"\3770\0\0001"),
        (b"\n1", r"\n1"),
        (b"<>", "<>"),
    ],
)
def test_bytes_are_a_text_of_c(data: bytes, shown: str) -> None:
    assert quoted(data, 32) == f'"{shown}"'


def test_paths_escape_what_ends_them() -> None:
    assert with_path("3", b"/a<1>\xc3\xa4 (deleted)") == r"3</a\0741\76\303\244>(deleted)"
