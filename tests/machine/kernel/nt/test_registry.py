"""The registry: what .reg files may say."""

from __future__ import annotations

import pytest

from machine.kernel.nt.registry import MOST_LEVELS, USER, RegFileError, Registry, read_reg_file
from machine.kernel.nt.status import NtError

HEAD = b"Windows Registry Editor Version 5.00\n[HKEY_LOCAL_MACHINE"


def test_keys_have_so_many_levels_at_most() -> None:
    registry = Registry(1 << 30)
    read_reg_file(registry, HEAD + b"\\a" * (MOST_LEVELS - 2) + b"]\n")
    with pytest.raises(RegFileError, match="line 2: a key has at most 512 levels"):
        read_reg_file(registry, HEAD + b"\\a" * 100_000 + b"]\n")
    with pytest.raises(NtError, match="c0000106"):
        registry.create(registry.root, ["a"] * MOST_LEVELS)


REGEDIT = "Windows Registry Editor Version 5.00\r\n\r\n[HKEY_CURRENT_USER\\k]\r\n"


def values_of(text: str | bytes) -> dict[str, tuple[int, bytes]]:
    """The values of HKCU\\k behind a file."""
    registry = Registry(1 << 20)
    read_reg_file(registry, text if isinstance(text, bytes) else text.encode())
    key = registry.find(registry.root, ["User", USER, "k"])
    assert key is not None
    return {value.name: (value.kind, value.data) for value in key.values.values()}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_a_file_may_be_in_any_unicode(encoding: str) -> None:
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    found = values_of((mark + REGEDIT + '"\u00e4"="\u20ac\u4e2d"').encode(encoding))
    assert found == {"\u00e4": (1, "\u20ac\u4e2d\0".encode("utf-16-le"))}


@pytest.mark.parametrize(
    ("line", "kind", "data"),
    [
        ('@="x"', 1, b"x\0\0\0"),
        ('"v"="a\\\\b \\"c\\" ; no comment"', 1, 'a\\b "c" ; no comment\0'.encode("utf-16-le")),
        ('"v"="two\r\nlines"', 1, "two\r\nlines\0".encode("utf-16-le")),
        ('"v"="a\u0085b\u2028c"', 1, "a\u0085b\u2028c\0".encode("utf-16-le")),
        ('"v"="x" ; a comment', 1, b"x\0\0\0"),
        ('"v"=dword:DEADBEEF ; a comment', 4, bytes.fromhex("efbeadde")),
        ('"v"=hex:', 3, b""),
        ('"v"=hex:01,02,\\\r\n  03,\\\r\n  04', 3, b"\1\2\3\4"),
        ('"v"=HEX(2):25,00,61,00,00,00', 2, b"%\0a\0\0\0"),
        ('"v"=hex(7):61,00,00,00,00,00', 7, b"a\0\0\0\0\0"),
        ('"v"=hex(b):01,00,00,00,00,00,00,80', 11, b"\1" + bytes(6) + b"\x80"),
        ('"v"=hex(0):', 0, b""),
        ('"v"=hex(4):01', 4, b"\1"),
        ('"v"=hex(ffff0010):aa', 0xFFFF_0010, b"\xaa"),
        ('"v=w"="x"', 1, b"x\0\0\0"),
    ],
)
def test_every_type_of_value_is_read(line: str, kind: int, data: bytes) -> None:
    assert list(values_of(REGEDIT + line).values()) == [(kind, data)]


def test_values_and_keys_are_removed() -> None:
    text = REGEDIT + '"a"="1"\r\n"B"="2"\r\n"A"=-\r\n@="d"\r\n@=-\r\n'
    text += '[HKEY_CURRENT_USER\\k\\in]\r\n[-HKCU\\K\\IN]\r\n"x"="y"'
    assert values_of(text) == {"B": (1, b"2\0\0\0")}


def test_keys_may_have_brackets_in_their_names() -> None:
    registry = Registry(1 << 20)
    read_reg_file(registry, b"REGEDIT4\n[HKEY_CURRENT_CONFIG\\a[1]]\n[HKLM\\-b] ; a comment\n")
    profile = ["Machine", "System", "CurrentControlSet", "Hardware Profiles", "Current"]
    assert registry.find(registry.root, [*profile, "a[1]"])
    assert registry.find(registry.root, ["Machine", "-b"])


def test_files_of_the_old_form_are_in_a_code_page() -> None:
    found = values_of(b'REGEDIT4\n[HKEY_CURRENT_USER\\k]\n"v"="\xe4"\n"w"=hex(7):e4,00,00\n"x"=hex:e4\n')
    assert found == {"v": (1, b"\xe4\0\0\0"), "w": (7, b"\xe4\0\0\0\0\0"), "x": (3, b"\xe4")}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: a .reg file begins with"),
        ("Windows Registry Editor Version 6.00\n", "line 1: a .reg file begins with"),
        ("REGEDIT4\n\n@=1\n", "line 3: a value before the first key"),
        (REGEDIT + '"a"=', "line 4: unknown kind of value"),
        (REGEDIT + '"a"="b" c', "line 4: unknown kind of value"),
        (REGEDIT + '"a"="b\n"c"="d"\n', "line 4: unknown kind of value"),
        (REGEDIT + '"a"=dword:123456789', "line 4: 123456789 is no hexadecimal number up to ffffffff"),
        (REGEDIT + '"a"=hex:100', "line 4: 100 is no hexadecimal number up to ff"),
        (REGEDIT + '"a"=hex(b:1', "line 4: unknown kind of value"),
        (REGEDIT + "a=1", "line 4: neither a key nor a value"),
        (REGEDIT + "[HKEY_NOWHERE\\a]", "line 4: unknown key"),
        (REGEDIT + "[HKEY_LOCAL_MACHINE\\a", "line 4: unknown key"),
        (REGEDIT + "[-HKEY_LOCAL_MACHINE]", "line 4: HKEY_LOCAL_MACHINE cannot be removed"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_its_line(text: str, said: str) -> None:
    with pytest.raises(RegFileError) as caught:
        values_of(text)
    assert str(caught.value).startswith(said)


def test_what_is_removed_counts_no_more() -> None:
    registry = Registry(4096)
    for _ in range(100):
        key, _ = registry.create(registry.root, ["a", "b"])
        registry.set(key, "v", 3, bytes(1000))
        registry.set(key, "v", 3, bytes(1000))
        assert registry.unset(key, "V")
        registry.set(key, "w", 3, bytes(1000))
        registry.remove(key)
        assert key.is_deleted
    with pytest.raises(NtError, match="c000009a"):
        registry.set(registry.root, "v", 3, bytes(4000))
