"""Nothing gets out: no path, link, `..`, descriptor or race of a guest reaches a file outside the shown folder."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from effort import often
from hypothesis import given, settings, strategies as st
from linux_world import AT_FDCWD, O_CREAT, O_DIRECTORY, O_PATH, O_RDWR, O_TRUNC, O_WRONLY, Guest

from machine.kernel.linux.errors import Errno
from machine.loaders import LoadError
from vm.facts.limits import Limits

SECRET = b"the secret outside"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a secret beside it and every kind of way that leads there."""
    return make_folder(tmp_path)


def make_folder(base: Path) -> Path:
    """The folder `root` in `base`, and beside it what must not be reached."""
    (base / "secret").write_bytes(SECRET)
    (base / "outside").mkdir()
    (base / "outside" / "file").write_bytes(SECRET)
    root = base / "root"
    (root / "inner" / "deep").mkdir(parents=True)
    (root / "public").write_bytes(b"public")
    (root / "absolute").symlink_to(base / "secret")
    (root / "relative").symlink_to("../secret")
    (root / "inner" / "up").symlink_to("../../secret")
    (root / "way out").symlink_to("..")
    (root / "directory out").symlink_to(base / "outside")
    (root / "loop").symlink_to("loop")
    (root / "good").symlink_to("/public")
    os.mkfifo(root / "fifo")
    return root


WAYS_OUT = (
    "../secret", "/../secret", "inner/../../secret", "/inner/deep/../../../secret", "./.././secret", "..//../secret",
    "absolute", "relative", "inner/up", "way out/secret", "directory out/file", "inner/../way out/secret",
    "/proc/self/root/secret", "/proc/self/cwd/../secret", "/proc/1/root/etc/passwd", "/proc/self/fd/0",
    "/proc/self/exe/../../secret", "/dev/fd/0/../secret", "good/../../secret",
)  # fmt: skip


@pytest.mark.parametrize("path", WAYS_OUT)
@pytest.mark.parametrize("writable", [False, True], ids=["read-only", "writable"])
def test_no_path_leads_out(folder: Path, path: str, writable: bool) -> None:
    guest = Guest(folder, writable)
    result = guest.contents(path)
    if path == "/proc/self/fd/0":
        assert result == b""  # its own /dev/null
        return
    assert isinstance(result, int)
    assert -result in (Errno.ENOENT, Errno.ENOTDIR, Errno.EACCES, Errno.ELOOP)


@pytest.mark.parametrize("path", WAYS_OUT)
def test_no_path_creates_or_removes_outside(folder: Path, path: str) -> None:
    guest = Guest(folder, writable=True)
    guest.call("unlink", path)
    guest.call("rmdir", path)
    guest.call("rename", path, "/moved")
    guest.call("link", path, "/linked")
    guest.call("truncate", path, 0)
    guest.call("chmod", path, 0)
    guest.open(path, O_WRONLY | O_TRUNC)
    outside = folder.parent
    assert (outside / "secret").read_bytes() == SECRET
    assert (outside / "secret").stat().st_mode & 0o777 != 0
    assert sorted(os.listdir(outside)) == ["outside", "root", "secret"]
    assert os.listdir(outside / "outside") == ["file"]
    for made in ("moved", "linked"):
        assert not (folder / made).exists() or (folder / made).is_symlink() or (folder / made).read_bytes() != SECRET


def test_an_absolute_link_starts_at_the_guests_root(folder: Path) -> None:
    assert Guest(folder).contents("good") == b"public"


def test_the_parent_of_the_root_is_the_root(folder: Path) -> None:
    guest = Guest(folder)
    assert guest.call("chdir", "../../inner/../..") == 0
    assert guest.call("getcwd", 0x10_0000, 100) == 2
    assert guest.contents("public") == b"public"


@pytest.mark.parametrize(
    "target",
    ["/etc/passwd", "/", "/public", "..", "../secret", "./../secret", "../../../../../../etc/passwd", "inner/..",
     "inner/../public", "inner/../../secret", "inner/deep/../../../secret", ".//..//secret"],
)  # fmt: skip
def test_a_link_that_leads_out_is_refused(folder: Path, target: str) -> None:
    guest = Guest(folder, writable=True)
    assert guest.call("symlink", target, "/new") == -Errno.EPERM
    assert not os.path.lexists(folder / "new")
    assert guest.call("symlink", target if target.startswith("/") else f"../{target}", "/inner/new") == -Errno.EPERM
    assert not os.path.lexists(folder / "inner" / "new")


@pytest.mark.parametrize(
    ("target", "place"),
    [("public", "/new"), (".", "/new"), ("inner/deep", "/new"), ("none/where", "/new"), ("..", "/inner/new"),
     ("../public", "/inner/new"), ("../../public", "/inner/deep/new"), ("./public", "/new"), ("..a/b..", "/new")],
)  # fmt: skip
def test_a_link_that_stays_inside_is_made(folder: Path, target: str, place: str) -> None:
    assert Guest(folder, writable=True).call("symlink", target, place) == 0
    assert os.readlink(folder / place[1:]) == target


@pytest.fixture
def linked(folder: Path) -> Guest:
    """A guest with links that go up as far as they may."""
    guest = Guest(folder, writable=True)
    assert guest.call("symlink", "../../public", "/inner/deep/link") == 0
    assert guest.call("symlink", "../public", "/inner/link") == 0
    assert guest.call("mkdir", "/inner/empty", 0o777) == 0
    return guest


@pytest.mark.parametrize(
    ("call", "old", "new"),
    [
        ("rename", "/inner/link", "/link"),
        ("link", "/inner/link", "/link"),
        ("rename", "/inner/deep/link", "/inner/other"),
        ("link", "/inner/deep/link", "/inner/other"),
        ("rename", "/inner/deep", "/deep"),
        ("rename", "/relative", "/other"),
        ("rename", "/absolute", "/inner/other"),
        ("link", "/directory out", "/inner/other"),
    ],
)
def test_a_link_that_would_lead_out_is_not_moved(linked: Guest, folder: Path, call: str, old: str, new: str) -> None:
    assert linked.call(call, old, new) == -Errno.EPERM
    assert not os.path.lexists(folder / new[1:])
    assert os.path.lexists(folder / old[1:])


@pytest.mark.parametrize(
    ("call", "old", "new"),
    [
        ("rename", "/inner/link", "/inner/deep/other"),
        ("link", "/inner/link", "/inner/other"),
        ("rename", "/inner", "/other"),
        ("rename", "/inner/empty", "/empty"),
        ("rename", "/inner/deep", "/inner/empty/deep"),
        ("rename", "/public", "/inner/public"),
    ],
)
def test_what_stays_inside_is_moved(linked: Guest, folder: Path, call: str, old: str, new: str) -> None:
    assert linked.call(call, old, new) == 0
    assert os.path.lexists(folder / new[1:])


def test_a_descriptor_of_a_moved_directory_does_not_know_an_old_place(folder: Path) -> None:
    guest = Guest(folder, writable=True)
    deep = guest.open("/inner/deep", O_DIRECTORY)
    assert guest.call("rename", "/inner/deep", "/deep") == 0
    assert guest.call("symlinkat", "../../secret", deep, "link") == -Errno.EPERM
    assert guest.call("symlinkat", "../public", deep, "link") == 0
    (folder / "deep").rename(folder.parent / "outside" / "deep")
    assert guest.call("symlinkat", "file", deep, "link2") == -Errno.EPERM


def test_links_deep_in_a_directory_are_looked_at(folder: Path) -> None:
    guest = Guest(folder, writable=True)
    assert guest.call("mkdir", "/inner/deep/er", 0o777) == 0
    assert guest.call("symlink", "../../public", "/inner/deep/er/low") == 0
    assert guest.call("rename", "/inner/deep", "/deep") == 0
    assert guest.call("rename", "/deep", "/inner/deep") == 0
    assert guest.call("symlink", "../../../public", "/inner/deep/er/high") == 0
    assert guest.call("rename", "/inner/deep", "/deep") == -Errno.EPERM


def test_a_directory_of_too_many_entries_is_not_moved_upwards(folder: Path) -> None:
    for number in range(6):
        (folder / "inner" / "deep" / str(number)).touch()
    guest = Guest(folder, writable=True, limits=Limits(max_root_files=5))
    assert guest.call("rename", "/inner/deep", "/deep") == -Errno.EPERM
    assert guest.kernel.reached_limits == {"max_root_files"}


@settings(max_examples=often(30, 300))
@given(data=st.data())
def test_no_sequence_of_links_and_moves_leads_out(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Whatever a guest makes and moves: the host's own view of every name in the folder stays inside."""
    root = tmp_path_factory.mktemp("links") / "root"
    root.mkdir()
    guest = Guest(root, writable=True)
    names = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map("/".join)
    targets = st.lists(st.sampled_from(["..", "a", "b", "c", "."]), min_size=1, max_size=4).map("/".join)
    for _ in range(12):
        match data.draw(st.sampled_from(["mkdir", "symlink", "rename", "link"])):
            case "mkdir":
                guest.call("mkdir", data.draw(names), 0o777)
            case "symlink":
                guest.call("symlink", data.draw(targets), data.draw(names))
            case call:
                guest.call(call, data.draw(names), data.draw(names))
    for folder, directories, found in os.walk(root):
        for name in (*directories, *found):
            assert Path(os.path.realpath(Path(folder, name))).is_relative_to(root.resolve())


# --- how much a guest may add


def test_bytes_beyond_the_limit_are_refused(folder: Path) -> None:
    guest = Guest(folder, writable=True, limits=Limits(max_root_bytes=1000))
    descriptor = guest.open("/new", O_RDWR | O_CREAT)
    assert guest.call("write", descriptor, bytes(900), 900) == 900
    assert guest.call("pwrite64", descriptor, bytes(100), 100, 50) == 100
    assert guest.call("write", descriptor, bytes(101), 101) == -Errno.EDQUOT
    assert guest.call("ftruncate", descriptor, 1001) == -Errno.EDQUOT
    assert guest.kernel.reached_limits == {"max_root_bytes"}
    assert guest.call("write", guest.open("/other", O_WRONLY | O_CREAT), bytes(101), 101) == -Errno.EDQUOT
    assert guest.call("ftruncate", descriptor, 1000) == 0
    assert (folder / "new").stat().st_size == 1000


def test_what_is_removed_may_be_added_again(folder: Path) -> None:
    guest = Guest(folder, writable=True, limits=Limits(max_root_bytes=1000, max_root_files=2))
    for _ in range(3):
        descriptor = guest.open("/new", O_RDWR | O_CREAT)
        assert guest.call("write", descriptor, bytes(1000), 1000) == 1000
        assert guest.call("close", descriptor) == 0
        assert guest.call("unlink", "/new") == 0
    for _ in range(3):
        descriptor = guest.open("/new", O_RDWR | O_CREAT)
        assert guest.call("write", descriptor, bytes(1000), 1000) == 1000
        assert guest.call("ftruncate", descriptor, 0) == 0
        assert guest.call("rename", "/new", "/other") == 0
        assert guest.call("close", descriptor) == 0
    assert guest.kernel.reached_limits == set()


def test_a_removed_file_keeps_its_bytes_until_it_is_closed(folder: Path) -> None:
    guest = Guest(folder, writable=True, limits=Limits(max_root_bytes=1000))
    hidden = guest.open("/hidden", O_RDWR | O_CREAT)
    assert guest.call("write", hidden, bytes(1000), 1000) == 1000
    assert guest.call("unlink", "/hidden") == 0
    descriptor = guest.open("/new", O_RDWR | O_CREAT)
    assert guest.call("write", descriptor, b"x", 1) == -Errno.EDQUOT
    assert guest.call("close", hidden) == 0
    assert guest.call("write", descriptor, b"x", 1) == 1


def test_files_of_the_user_give_no_room(folder: Path) -> None:
    with (folder / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    guest = Guest(folder, writable=True, limits=Limits(max_root_bytes=1000))
    assert guest.call("unlink", "/sparse") == 0
    assert guest.call("write", guest.open("/new", O_WRONLY | O_CREAT), bytes(1001), 1001) == -Errno.EDQUOT


@pytest.mark.parametrize(
    ("call", "arguments"),
    [("mkdir", ("/new", 0o777)), ("symlink", ("public", "/new")), ("link", ("/public", "/new")),
     ("open", ("/new", O_WRONLY | O_CREAT, 0o666))],
)  # fmt: skip
def test_names_beyond_the_limit_are_refused(folder: Path, call: str, arguments: tuple[str | int, ...]) -> None:
    guest = Guest(folder, writable=True, limits=Limits(max_root_files=1))
    assert guest.call("mkdir", "/first", 0o777) == 0
    assert guest.call(call, *arguments) == -Errno.EDQUOT
    assert guest.kernel.reached_limits == {"max_root_files"}
    assert guest.call("mkdir", "/public", 0o777) == -Errno.EEXIST
    assert guest.call("rmdir", "/first") == 0
    assert guest.call(call, *arguments) >= 0


def test_one_file_that_is_too_large_is_named_too(folder: Path) -> None:
    guest = Guest(folder, writable=True, limits=Limits(max_file_bytes=1000))
    assert guest.call("truncate", "/public", 1001) == -Errno.EFBIG
    assert guest.kernel.reached_limits == {"max_file_bytes"}


def test_a_descriptor_of_the_root_is_no_way_out(folder: Path) -> None:
    guest = Guest(folder)
    for flags in (O_DIRECTORY, O_DIRECTORY | O_PATH):
        root, inner = guest.open("/", flags), guest.open("/inner", flags)
        assert guest.open("../secret", directory=root) == -Errno.ENOENT
        assert guest.open("../../secret", directory=inner) == -Errno.ENOENT
        assert guest.call("fchdir", inner) == 0
        assert guest.contents("../../secret") == -Errno.ENOENT


def test_a_folder_that_is_moved_away_is_no_way_out(folder: Path) -> None:
    guest = Guest(folder)
    assert guest.call("chdir", "/inner/deep") == 0
    (folder / "inner" / "deep").rename(folder.parent / "outside" / "deep")
    assert guest.contents("../file") == -Errno.ENOENT
    assert guest.contents("../../public") == b"public"


def test_devices_fifos_and_sockets_are_not_opened(folder: Path) -> None:
    assert Guest(folder, writable=True).open("/fifo", O_RDWR) == -Errno.EACCES


def test_a_read_only_folder_is_not_changed(folder: Path) -> None:
    before = sorted(str(path) for path in folder.rglob("*"))
    guest = Guest(folder)
    assert guest.open("/public", O_RDWR) == -Errno.EROFS
    assert guest.open("/public", O_TRUNC) == -Errno.EROFS
    assert guest.open("/new", O_WRONLY | O_CREAT) == -Errno.EROFS
    for call in (
        ("mkdir", "/new", 0o777), ("unlink", "/public"), ("rmdir", "/inner/deep"), ("rename", "/public", "/other"),
        ("link", "/public", "/other"), ("symlink", "public", "/other"), ("chmod", "/public", 0),
        ("truncate", "/public", 0),
        ("utimensat", AT_FDCWD, "/public", 0, 0),
    ):  # fmt: skip
        assert guest.call(*call) == -Errno.EROFS, call
    assert sorted(str(path) for path in folder.rglob("*")) == before
    assert (folder / "public").read_bytes() == b"public"


def test_set_user_id_bits_are_not_stored(folder: Path) -> None:
    guest = Guest(folder, writable=True)
    descriptor = guest.open("/tool", O_WRONLY | O_CREAT, 0o6755)
    guest.call("chmod", "/tool", 0o6755)
    guest.call("fchmod", descriptor, 0o7777)
    assert (folder / "tool").stat().st_mode & 0o7000 == 0


@pytest.mark.parametrize("system", ["/proc", "/sys"])
def test_system_folders_cannot_be_shown(system: str) -> None:
    if os.stat(system).st_dev == os.stat("/").st_dev:
        pytest.skip(f"{system} is no file system of its own here")
    with pytest.raises(LoadError, match="part of"):
        Guest(Path(system))


def test_other_file_systems_in_the_folder_are_not_entered() -> None:
    covered = ("dev", "proc", "sys", "tmp")
    others = [path for path in Path("/").iterdir() if path.name not in covered and path.is_mount() and path.is_dir()]
    if not others:
        pytest.skip("no other file system is mounted in / here")
    assert Guest(Path("/")).contents(f"{others[0]}/anything") == -Errno.EACCES


def test_proc_of_the_guest_is_its_own() -> None:
    guest = Guest(Path("/"))
    maps = guest.contents("/proc/self/maps")
    assert isinstance(maps, bytes)
    assert b"00100000-" in maps
    assert guest.contents("/proc/self/mem") == guest.contents("/proc/1/environ") == -Errno.ENOENT
    assert guest.contents("/proc/self/environ") == b""


@pytest.mark.programs
def test_a_race_with_links_never_leaks(folder: Path) -> None:
    """A thread of the host keeps exchanging a file, and a folder on the way, for links to the secret."""
    stop = threading.Event()
    secret, outside = folder.parent / "secret", folder.parent / "outside"
    (folder / "way").mkdir()
    (folder / "way" / "file").write_bytes(b"public")

    def exchange() -> None:
        while not stop.is_set():
            for target, name in ((secret, "public"), (outside, "way")):
                os.rename(folder / name, folder / "aside")
                os.symlink(target, folder / name)
                os.unlink(folder / name)
                os.rename(folder / "aside", folder / name)

    thread = threading.Thread(target=exchange)
    thread.start()
    try:
        guest = Guest(folder, writable=True)
        for _ in range(1500):
            for path in ("/public", "/way/file"):
                descriptor = guest.open(path, O_RDWR)
                if descriptor >= 0:
                    assert guest.read(descriptor) == b"public"
                    guest.call("close", descriptor)
    finally:
        stop.set()
        thread.join()


_NAMES = st.sampled_from(
    ["..", ".", "", "inner", "deep", "public", "absolute", "relative", "up", "way out", "directory out", "file",
     "secret", "good", "tmp", "proc", "self", "exe", "dev", "null", "x" * 300]
)  # fmt: skip


@given(parts=st.lists(_NAMES, max_size=12), absolute=st.booleans())
def test_no_combination_of_names_reaches_the_secret(
    tmp_path_factory: pytest.TempPathFactory, parts: list[str], absolute: bool
) -> None:
    base = tmp_path_factory.getbasetemp() / "combinations"
    if not base.exists():
        base.mkdir()
        make_folder(base)
    result = Guest(base / "root").contents(("/" if absolute else "") + "/".join(parts))
    assert result != SECRET
