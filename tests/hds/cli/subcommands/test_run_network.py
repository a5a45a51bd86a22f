"""The options `--net` and `--pcap` on the command line: wrong files end a run before it begins, captures are right."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

import pytest
from hds_guests import command_line, listing_file

from machine.kernel import Capture

PORT = '[[host]]\naddresses = ["192.0.2.1"]\n[[host.port]]\nport = 1\n'


@pytest.mark.parametrize(
    ("content", "code", "message"),
    [
        (b"[[host]]\nx = 1\n", 1, "net.toml: host 1: unknown key `x`"),
        (b"[[host\n", 1, "net.toml: "),
        (b"\xff\n", 1, "net.toml: byte 0 is no UTF-8"),
        (PORT.encode() + b'file = "missing"\n', 3, "missing: No such file or directory"),
        (PORT.encode() + b'file = "-"\n', 3, "-: No such file or directory"),
        (None, 3, "net.toml: No such file or directory"),
    ],
)
def test_a_file_that_is_not_right_is_refused(tmp_path: Path, content: bytes | None, code: int, message: str) -> None:
    file = tmp_path / "net.toml"
    if content is not None:
        file.write_bytes(content)
    ran = command_line("run", "-e", "? print(1);", "--net", str(file), listing_file(tmp_path, "nop"))
    assert (ran.code, ran.output) == (code, "")
    assert message in ran.errors


def test_a_file_that_is_right_is_no_matter_to_a_program_without_sockets(tmp_path: Path) -> None:
    (tmp_path / "answer").write_bytes(b"yes")
    (tmp_path / "net.toml").write_text(PORT + 'file = "answer"\n')
    ran = command_line(
        "run", "--quiet", "-e", "? print(1);", "--net", str(tmp_path / "net.toml"), listing_file(tmp_path, "hlt")
    )
    assert (ran.code, ran.output) == (0, "1\n")


def packets(data: bytes) -> list[tuple[int, int, int, int, bytes]]:
    """Protocol, ports, flags of TCP and bytes of the packets of IPv4 in a capture file; lengths and sums are right."""
    assert struct.unpack_from("<IHHiIII", data) == (0xA1B23C4D, 2, 4, 0, 0, 1 << 18, 101)
    result, place = [], 24
    while place < len(data):
        size, whole = struct.unpack_from("<8xII", data, place)
        packet = data[place + 16 : place + 16 + size]
        place += 16 + size
        version, length, protocol = struct.unpack_from(">BxH5xB", packet)
        assert (version, length, whole, folded(packet[:20])) == (0x45, size, size, 0xFFFF)
        body = packet[20:]
        assert folded(packet[12:20] + struct.pack(">HH", protocol, len(body)) + body) == 0xFFFF
        source, target = struct.unpack_from(">HH", body)
        result.append((protocol, source, target, body[13] if protocol == 6 else 0, body[20 if protocol == 6 else 8 :]))
    return result


def folded(data: bytes) -> int:
    total: int = sum(struct.unpack(f">{(len(data) + 1) // 2}H", data + bytes(len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def test_a_capture_has_what_was_sent(tmp_path: Path) -> None:
    found = shutil.which("busybox")
    if found is None:
        pytest.skip("the Debian package busybox-static is not installed")
    (tmp_path / "net.toml").write_text(PORT.replace("port = 1\n", "port = 80\n") + 'http = "page"\n')
    files = [tmp_path / name for name in ("one.pcap", "two.pcap")]
    for file in files:
        ran = command_line(
            "run", "--quiet", "-e", "? print(1);", "--net", str(tmp_path / "net.toml"), "--pcap", str(file), found,
            "wget", "-q", "-O", "-", "http://192.0.2.1/x",
        )  # fmt: skip
        assert ran.code == 0
    assert files[0].read_bytes() == files[1].read_bytes()
    rows = packets(files[0].read_bytes())
    assert {row[0] for row in rows} == {6}
    assert [(row[2] == 80, row[3]) for row in rows[:3]] == [(True, 2), (False, 0x12), (True, 0x10)]
    assert b"".join(row[4] for row in rows if row[2] == 80).startswith(b"GET /x HTTP/1.1\r\n")
    assert b"".join(row[4] for row in rows if row[1] == 80).endswith(b"\r\n\r\npage")
    assert [row[1] == 80 for row in rows if row[3] & 1] == [True, False]


def test_a_capture_stays_within_its_limit(tmp_path: Path) -> None:
    capture = Capture(24 + 16 + 28 + 2)
    capture.datagram((bytes(4), 1), (bytes(4), 2), b"in")
    assert (len(packets(bytes(capture.data))), capture.is_full) == (1, False)
    capture.datagram((bytes(4), 1), (bytes(4), 2), b"")
    assert (len(packets(bytes(capture.data))), capture.is_full) == (1, True)


def test_a_capture_that_cannot_be_written_is_refused_before_the_run(tmp_path: Path) -> None:
    ran = command_line("run", "-e", "? print(1);", "--pcap", str(tmp_path / "no" / "x"), listing_file(tmp_path, "nop"))
    assert (ran.code, ran.output) == (3, "")
