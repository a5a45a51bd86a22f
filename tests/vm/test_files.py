"""Files that people name: what is opened, what is refused by its kind or size, and which links are followed."""

from __future__ import annotations

import os
import resource
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from vm.facts.limits import Limits
from vm.files import FileRefused, open_for_writing, read_file, write_file

LIMITS = Limits(max_source_bytes=1000)


def read(path: Path) -> bytes:
    return read_file(path, LIMITS, "max_source_bytes")


def write(path: Path) -> None:
    write_file(path, b"text")


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(path))  # an absolute path may be too long for a socket


KINDS: tuple[tuple[str, Callable[[Path], object]], ...] = (
    ("a FIFO", lambda path: os.mkfifo(path)),
    ("a directory", lambda path: path.mkdir()),
    ("a socket", _socket),
    ("a device", lambda path: path.symlink_to("/dev/zero")),
    ("a device", lambda path: path.symlink_to("/dev/tty")),
)


@pytest.mark.parametrize("use", [read, write], ids=["read", "write"])
@pytest.mark.parametrize(("kind", "make"), KINDS, ids=[f"{number} {kind}" for number, (kind, _) in enumerate(KINDS)])
def test_what_is_no_regular_file_is_refused_by_its_kind(
    tmp_path: Path, use: Callable[[Path], object], kind: str, make: Callable[[Path], object]
) -> None:
    make(tmp_path / "it")
    with pytest.raises(FileRefused, match=f"it: it is {kind}$"):
        use(tmp_path / "it")


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Path]:
    """A FIFO that somebody has open and never reads."""
    os.mkfifo(tmp_path / "read")
    descriptor = os.open(tmp_path / "read", os.O_RDONLY | os.O_NONBLOCK)
    yield tmp_path / "read"
    os.close(descriptor)


def test_a_fifo_with_a_reader_is_refused_as_well(reader: Path) -> None:
    with pytest.raises(FileRefused, match="it is a FIFO"):
        write(reader)


def test_what_is_exchanged_behind_the_first_look_is_refused_too(reader: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    regular = os.stat(__file__)
    monkeypatch.setattr(os, "stat", lambda *arguments, **options: regular)
    for use in (read, write):
        with pytest.raises(FileRefused, match="it is a FIFO"):
            use(reader)


def test_null_devices_never_wait() -> None:
    assert read(Path("/dev/null")) == b""
    write(Path("/dev/null"))
    with pytest.raises(FileRefused, match="cannot write /dev/full: No space left on device"):
        write(Path("/dev/full"))


def test_a_file_of_many_gigabytes_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(20 << 30)
    with pytest.raises(FileRefused, match=r"large is larger than 1000 bytes \(limit max_source_bytes\)"):
        read(path)


def test_the_limit_is_the_largest_size(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(1000))
    assert len(read(path)) == 1000
    path.write_bytes(bytes(1001))
    with pytest.raises(FileRefused, match="limit max_source_bytes"):
        read(path)


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "growing"
    path.write_bytes(b"x")
    real = os.read

    def read_and_grow(descriptor: int, size: int) -> bytes:
        with path.open("ab") as file:
            file.write(bytes(400))
        return real(descriptor, size)

    monkeypatch.setattr(os, "read", read_and_grow)
    with pytest.raises(FileRefused, match="limit max_source_bytes"):
        read(path)


@pytest.mark.parametrize("path", ["a\0b", "\ud800", "x" * 5000, "/no/where"])
@pytest.mark.parametrize("use", [read, write], ids=["read", "write"])
def test_paths_that_cannot_be(path: str, use: Callable[[Path], object]) -> None:
    with pytest.raises(FileRefused, match=r"cannot (read|write)"):
        use(Path(path))


def test_a_file_is_emptied_or_continued(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"before, and longer")
    write(path)
    descriptor = open_for_writing(path, append=True)
    os.write(descriptor, b" more")
    os.close(descriptor)
    assert path.read_bytes() == b"text more"


# --- the folder that a guest writes to


def test_a_file_that_is_written_has_exactly_the_new_content(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for data in (b"a long content", b"short", b"", b"longer again"):
        write_file(path, data)
        assert path.read_bytes() == data


def test_what_does_not_fit_leaves_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"the old content")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16, before[1]))
    try:
        with pytest.raises(FileRefused, match="File too large"):
            write_file(path, b"new and much longer")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert path.read_bytes() == b"the old content"


@pytest.fixture
def guarded(tmp_path: Path) -> Path:
    """A folder with links that a guest might have made, and a file outside that they lead to."""
    root = tmp_path / "root"
    (root / "inner").mkdir(parents=True)
    (tmp_path / "secret").write_bytes(b"secret")
    (root / "link").symlink_to(tmp_path / "secret")
    (root / "way").symlink_to(tmp_path)
    (root / "loop").symlink_to("loop")
    (root / "new").symlink_to(tmp_path / "created")
    (tmp_path / "door").symlink_to("root/inner/..")
    (tmp_path / "trap").symlink_to("root/way/secret")
    return root


@pytest.mark.parametrize(
    "path", ["root/link", "root/way/secret", "root/loop", "root/new", "root/inner/../link", "door/link", "trap"]
)
def test_no_link_of_a_guarded_folder_is_followed(guarded: Path, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(guarded.parent)
    for way in (path, str(guarded.parent / path)):
        with pytest.raises(FileRefused, match="a symbolic link in the folder that the guest writes to"):
            open_for_writing(way, guarded=guarded)
    assert (guarded.parent / "secret").read_bytes() == b"secret"
    assert not (guarded.parent / "created").exists()


@pytest.mark.parametrize("path", ["root/file", "root/inner/file", "door/file", "outside", "door/../outside"])
def test_other_files_are_written_as_ever(guarded: Path, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(guarded.parent)
    write_file(path, b"text", guarded=guarded)
    assert Path(path).read_bytes() == b"text"


def test_links_outside_the_guarded_folder_are_the_users_own(guarded: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").symlink_to(tmp_path / "target")
    write_file(tmp_path / "mine", b"text", guarded=guarded)
    assert (tmp_path / "target").read_bytes() == b"text"


def test_a_guarded_way_leaves_no_descriptor_open(guarded: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    write_file(guarded / "inner" / "file", b"", guarded=guarded)
    for path in (guarded / "link", guarded / "none" / "file", guarded / "inner", guarded / "link" / "file"):
        with pytest.raises(FileRefused):
            open_for_writing(path, guarded=guarded)
    assert len(os.listdir("/proc/self/fd")) == before
