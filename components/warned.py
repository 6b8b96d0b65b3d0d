"""Warnings, each once a run of Pulumi: `pulumi up` runs the program for its preview and again for the update, and both
would say the same.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path

import pulumi

from components.constructed import CONSTRUCTED
from weir.orphans import engine
from weir.processes import identity

_PLACE = Path(".weir", "warned")


def warn(text: str) -> None:
    """Warn, unless the preview of this very run has done so. An update without a preview does, and one that finds
    something else to say.
    """
    note, line = _note(), sha256(text.encode()).hexdigest()
    if note is None:
        pulumi.log.warn(text)  # noqa: TID251
    elif CONSTRUCTED.get() and line in _lines(note):
        # Another component of the program has said so.
        return
    elif pulumi.runtime.is_dry_run():
        pulumi.log.warn(text)  # noqa: TID251
        # Where nothing can be written, the update says it again.
        with suppress(OSError), note.open("a") as file:
            print(line, file=file)
    elif line not in _lines(note):
        pulumi.log.warn(text)  # noqa: TID251


@cache
def _note() -> Path | None:
    """What this run of Pulumi has warned of in its preview, which is the same process; None where it cannot be told
    which that is.

    What runs have left that are over is removed.
    """
    name = identity(engine())
    if not name:
        return None
    with suppress(OSError, ValueError):
        _PLACE.mkdir(mode=0o700, parents=True, exist_ok=True)
        for other in _PLACE.iterdir():
            if identity(int(other.name.partition("-")[0])) != other.name:
                other.unlink()
    return _PLACE / name


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text().splitlines()
    except OSError:
        return []
