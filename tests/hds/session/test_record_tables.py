"""Tables of records, as docs/python.md has them."""

from __future__ import annotations

import re
import sys

import pytest

import hds
from hds.session.tables import arrow_table


def test_numbers_are_not_copied_on_the_way_to_pandas() -> None:
    pytest.importorskip("pyarrow", reason="pyarrow (extra arrow) is not installed")
    pytest.importorskip("pandas", reason="pandas (extra pandas) is not installed")
    table = arrow_table({"type": "trigger", "pc": 1 << 63 | number, "name": None} for number in range(9))
    at = table["pc"].chunk(0).buffers()[1].address
    frame = table.to_pandas(split_blocks=True)
    assert frame["pc"].to_numpy().ctypes.data == at
    assert list(frame["pc"])[:2] == [1 << 63, 1 << 63 | 1]


def test_columns_have_types() -> None:
    pytest.importorskip("pyarrow", reason="pyarrow (extra arrow) is not installed")
    rows: list[dict[str, object]] = [
        {"a": 1, "b": None, "c": [1], "d": {"x": 1}, "a_hex": "0x1"},
        {"a": None, "b": "t", "c": [1 << 63], "e": -1},
    ]
    table = arrow_table(rows)
    assert table.column_names == ["a", "b", "c", "d.x", "e"]
    assert [str(kind) for kind in table.schema.types] == ["uint64", "string", "list<item: uint64>", "uint64", "int64"]
    assert arrow_table([]).num_rows == 0


@pytest.mark.parametrize(("library", "extra"), [("pyarrow", "arrow"), ("pandas", "pandas")])
def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, library: str, extra: str) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    session = hds.Session()
    with pytest.raises(
        hds.MissingExtra, match=re.escape(f"{library} is not installed: pip install 'hds-hyperdbg[{extra}]'")
    ):
        session.to_arrow() if extra == "arrow" else session.to_pandas()
