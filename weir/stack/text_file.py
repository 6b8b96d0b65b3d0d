"""Reading and writing a text file as it is: line ends, links, owner and mode stay, and what is written is written
whole or not at all.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from weir.errors import UsageError

_NO_NEW_FILE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY, errno.EXDEV, errno.ENAMETOOLONG)
"""The file may be written, and not replaced: its directory is somebody else's, or it is a mount point, as single files
in containers are.
"""

_ADVICE = {
    errno.EACCES: "make it writable for you (ls -l shows its owner and mode), then run the same command again",
    errno.EPERM: "make it writable for you (lsattr shows whether it is immutable), then run the same command again",
    errno.EROFS: "mount its file system for writing, or work in another checkout",
    errno.ENOSPC: "free some space there, then run the same command again",
    errno.EDQUOT: "free some space of your quota there, then run the same command again",
    errno.ENOENT: "put it back (git checkout), then run the same command again",
}


def read(path: Path) -> str:
    """The text of the file with the line ends that it has. Raises UsageError."""
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: is not text in UTF-8 (byte {error.start}); is it a stack file?") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None


def overwrite(path: Path, text: str) -> None:
    """Make this the text of the file; whatever ends the process, it has the old text or the new one. Raises
    UsageError, the old text is there then.

    A link stays a link, and what it leads to is written. A file of several names is written in place, so that all of
    them have the new text, and so is one that cannot be replaced, or not by one of its owner.
    """
    data = text.encode("utf-8")
    try:
        target = path.resolve(strict=True)
        # Says by itself who may not write: a file that was made read-only is not replaced by one that is not.
        with target.open("r+b", buffering=0) as file:
            if os.fstat(file.fileno()).st_nlink > 1 or not _replaced(target, data):
                _in_place(file.fileno(), data)
    except OSError as error:
        advice = _ADVICE.get(error.errno or 0, "fix that, then run the same command again")
        raise UsageError(f"{path} cannot be written: {error.strerror}; it is unchanged: {advice}") from None


def _replaced(target: Path, data: bytes) -> bool:
    """Put a new file in the place of the old one; False where that cannot be, or would change whose it is."""
    there = target.stat()
    partial = None
    try:
        number, name = tempfile.mkstemp(prefix=f".{target.name[:100]}.", dir=target.parent)
        partial = Path(name)
        with os.fdopen(number, "wb") as file:
            file.write(data)
        made = partial.stat()
        if (made.st_uid, made.st_gid) != (there.st_uid, there.st_gid):
            os.chown(partial, there.st_uid, there.st_gid)
        shutil.copystat(target, partial)
        os.utime(partial)
        partial.replace(target)
    except OSError as error:
        if error.errno not in _NO_NEW_FILE:
            raise
        return False
    finally:
        if partial is not None:
            partial.unlink(missing_ok=True)
    return True


def _in_place(number: int, data: bytes) -> None:
    """Write over the old text. The space is taken before, so that a full disk leaves the old text."""
    old = os.pread(number, os.fstat(number).st_size, 0)
    try:
        if len(data) > len(old):
            os.posix_fallocate(number, 0, len(data))
        _write(number, data)
    except OSError:
        with suppress(OSError):
            _write(number, old)
        raise


def _write(number: int, data: bytes) -> None:
    written = 0
    while written < len(data):
        written += os.pwrite(number, data[written:], written)
    os.ftruncate(number, len(data))
