"""A text file is written whole or not at all, and stays what it is to the file system: its links, owner, mode and line
ends.
"""

from __future__ import annotations

import os
import resource
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from weir.errors import UsageError
from weir.stack.text_file import overwrite, read

NOBODY = 65534
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to others")


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that others may enter, which those of pytest are not."""
    with TemporaryDirectory() as name:
        path = Path(name)
        path.chmod(0o755)
        yield path


def as_process(action: Callable[[], None], *, user: int | None = None, largest: int | None = None) -> str:
    """Do it in a process of its own, as another user or with a bound to the size of files; what its UsageError says,
    or nothing.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        said = ""
        try:
            if largest is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
            if user is not None:
                os.setgroups([])
                os.setgid(user)
                os.setuid(user)
            action()
        except UsageError as error:
            said = str(error)
        except BaseException as error:  # noqa: BLE001
            said = f"unexpected: {error!r}"
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return said


def test_line_ends_and_byte_order_mark_are_read_and_written_as_they_are(tmp_path: Path) -> None:
    """Nothing is translated on the way in or out."""
    path = tmp_path / "file"
    path.write_bytes("\ufeffa\r\nb\rc\n".encode())
    assert read(path) == "\ufeffa\r\nb\rc\n"
    overwrite(path, "\ufeffü\r\n\n\r")
    assert path.read_bytes() == "\ufeffü\r\n\n\r".encode()


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """What it leads to is written, also in another directory, and nothing is left beside either."""
    (tmp_path / "real").mkdir()
    target, link, other = tmp_path / "real" / "file", tmp_path / "link", tmp_path / "other"
    target.write_text("old")
    link.symlink_to("real/file")
    other.symlink_to(link)
    overwrite(other, "new")
    assert (other.readlink(), link.readlink(), target.read_text()) == (link, Path("real/file"), "new")
    assert not target.is_symlink()
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "link", "other", "real"]


@pytest.mark.parametrize("text", ["longer than before", "x"])
def test_all_names_of_a_file_have_the_new_text(tmp_path: Path, text: str) -> None:
    """Hard links stay links."""
    path, other = tmp_path / "file", tmp_path / "other"
    path.write_text("old text")
    other.hardlink_to(path)
    overwrite(path, text)
    assert path.read_text() == other.read_text() == text
    assert path.samefile(other)


def test_mode_and_attributes_stay_and_the_time_is_new(tmp_path: Path) -> None:
    """Whoever could read it still can, and build tools see that it has changed."""
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(0o640)
    os.utime(path, (1, 1))
    attributes = hasattr(os, "setxattr")
    if attributes:
        try:
            os.setxattr(path, "user.note", b"kept")
        except OSError:  # not every file system has them
            attributes = False
    overwrite(path, "new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert path.stat().st_mtime > 1
    assert not attributes or os.getxattr(path, "user.note") == b"kept"


@root_only
def test_the_owner_stays_when_root_edits(place: Path) -> None:
    """`sudo weir set` does not take the file from whom it belongs to."""
    path = place / "file"
    path.write_text("old")
    os.chown(path, NOBODY, NOBODY)
    overwrite(path, "new")
    assert (path.stat().st_uid, path.stat().st_gid, path.read_text()) == (NOBODY, NOBODY, "new")


@root_only
@pytest.mark.parametrize("mode", [0o777, 0o755])
def test_the_owner_stays_when_another_may_write(place: Path, mode: int) -> None:
    """A file of root's that all may write is written in place, whether or not its directory would take another."""
    path = place / "file"
    path.write_text("old")
    path.chmod(0o666)
    place.chmod(mode)
    assert as_process(lambda: overwrite(path, "new text"), user=NOBODY) == ""
    assert (path.stat().st_uid, stat.S_IMODE(path.stat().st_mode), path.read_text()) == (
        os.geteuid(),
        0o666,
        "new text",
    )
    assert [other.name for other in place.iterdir()] == ["file"]


def test_what_one_may_not_write_is_said(place: Path) -> None:
    """A file that was made read-only is not replaced, even where its directory would let it be."""
    path = place / "file"
    path.write_text("old")
    path.chmod(0o444)
    place.chmod(0o777)
    said = as_process(lambda: overwrite(path, "new"), user=NOBODY if os.geteuid() == 0 else None)
    assert said == (
        f"{path} cannot be written: Permission denied; it is unchanged: make it writable for you (ls -l shows its owner "
        "and mode), then run the same command again"
    )
    assert path.read_text() == "old"


@pytest.mark.parametrize("names", [1, 2])
def test_without_space_the_old_text_is_whole(tmp_path: Path, names: int) -> None:
    """The system refuses the last part of it; one line says so, and nothing is left beside it."""
    path = tmp_path / "file"
    path.write_text("old\n" * 500)
    if names == 2:
        (tmp_path / "other").hardlink_to(path)
    said = as_process(lambda: overwrite(path, "new\n" * 2000), largest=4096)
    assert (
        said == f"{path} cannot be written: File too large; it is unchanged: fix that, then run the same command again"
    )
    assert path.read_text() == "old\n" * 500
    assert len(list(tmp_path.iterdir())) == names


def test_a_file_that_is_gone_is_said(tmp_path: Path) -> None:
    """Reading and writing both name it."""
    path = tmp_path / "file"
    with pytest.raises(UsageError, match="cannot be read: No such file or directory"):
        read(path)
    with pytest.raises(
        UsageError, match=r"cannot be written: No such file or directory; it is unchanged: put it back \(git checkout\)"
    ):
        overwrite(path, "new")
    path.write_bytes(b"a: \xff")
    with pytest.raises(UsageError, match=r"is not text in UTF-8 \(byte 3\)"):
        read(path)


WRITE = """
import sys
from pathlib import Path
from weir.errors import UsageError
from weir.stack.text_file import overwrite
path = Path("disk/file")
try:
    overwrite(path, "new\\n" * 15000)
    print("written")
except UsageError as error:
    print(error)
print(path.read_text()[:3], sorted(other.name for other in Path("disk").iterdir()))
"""
FULL = "mount -t tmpfs -o size=64k none disk && printf 'old\\n' > disk/file && head -c 30000 /dev/zero > disk/other"


@root_only
@pytest.mark.parametrize(
    ("mounts", "said"),
    [
        (
            FULL,
            "disk/file cannot be written: No space left on device; it is unchanged: free some space there, then run "
            "the same command again\n"
            "old ['file', 'other']",
        ),
        (
            f"{FULL} && ln disk/file disk/link",
            "disk/file cannot be written: No space left on device; it is unchanged: free some space there, then run "
            "the same command again\n"
            "old ['file', 'link', 'other']",
        ),
        (
            "echo old > disk/file && mount --bind disk disk && mount -o remount,bind,ro disk",
            "disk/file cannot be written: Read-only file system; it is unchanged: mount its file system for writing, "
            "or work in another checkout\n"
            "old ['file']",
        ),
        ("echo old > real && touch disk/file && mount --bind real disk/file", "written\nnew ['file']"),
        ((
            "echo old > real && touch disk/file && mount --bind disk disk && mount -o remount,bind,ro disk && mount "
            "--bind real disk/file"
        ), "written\nnew ['file']"),
    ],
    ids=["full", "full, two names", "read-only", "mounted file", "mounted file in what is read-only"],
)  # fmt: skip
def test_real_file_systems(tmp_path: Path, mounts: str, said: str) -> None:
    """A full disk and one mounted for reading leave the old text and say so; a single file that is mounted, as in
    containers, is written.
    """
    (tmp_path / "disk").mkdir()
    script = f'{mounts} && exec "$0" -c "$1"'
    run = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, sys.executable, WRITE],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.stdout.strip(), run.stderr) == (said, "")
