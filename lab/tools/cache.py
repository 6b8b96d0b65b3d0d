"""Where built things are kept: outside every checkout, under a key made of their content, so that none is built twice.

``$WEIR_CACHE`` (default ``$XDG_CACHE_HOME/weir``, ``~/.cache/weir``) holds::

    tools/NAME-KEY/     binaries of one Go module
    images/             image archives and their base file system
    go/                 Go's own module and build caches, which let an interrupted build resume
    locks/              one lock file a thing that is built
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.errors import LabError

_KEY_LENGTH = 16


def cache_dir() -> Path:
    """The cache's root; not created here."""
    if named := os.environ.get("WEIR_CACHE"):
        return Path(named).absolute()
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "weir"


def content_key(parts: Iterable[str], files: Iterable[Path] = (), root: Path | None = None) -> str:
    """A short hash of strings and of files (path relative to ``root``, and content), whatever their order on disk."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{len(part)}:{part}".encode())
    for path in sorted(files):
        name = str(path.relative_to(root)) if root else path.name
        digest.update(f"{name}:{hashlib.sha256(path.read_bytes()).hexdigest()}".encode())
    return digest.hexdigest()[:_KEY_LENGTH]


@contextmanager
def locked(path: Path, on_wait: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock file ``path``; ``on_wait`` is told once, with the holder's process id, when another holds it.

    The kernel frees the lock when its holder dies, so nothing has to be cleaned after a crash.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.seek(0)
            on_wait(handle.read().strip() or "unknown")
            fcntl.flock(handle, fcntl.LOCK_EX)
        handle.seek(0)
        handle.truncate()
        handle.write(str(os.getpid()))
        handle.flush()
        yield


def require_space(path: Path, need_bytes: int, purpose: str) -> None:
    """Refuse at once, with the figures, when the file system of ``path`` is too full for ``purpose``."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(path).free
    except OSError as error:
        raise LabError(
            f"cannot use {path} for {purpose}: {error.strerror}. Set WEIR_CACHE to a directory that can be written."
        ) from error
    if free < need_bytes:
        raise LabError(
            f"{purpose} needs {need_bytes / 1e9:.1f} GB in {path}, and only {free / 1e9:.1f} GB are free. "
            "Free some space, or set WEIR_CACHE to a directory on a larger disk."
        )
