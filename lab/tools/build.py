"""Building tools from their Go modules into the cache.

A binary stands under its module's content key; it is written beside its place and renamed, so that what is there is
whole. Go's build cache lives in the same cache directory: an interrupted build goes on where it was.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError, last_lines
from lab.progress import Progress
from lab.tools.cache import cache_dir, content_key, locked, require_space
from lab.tools.catalog import MODULES, Binary, Module
from lab.tools.golang import find_go

# The same flags for every build: packages that two tools share are then compiled once. Without debug information a cold
# build is a tenth shorter.
_FLAGS = ("-trimpath", "-gcflags=all=-dwarf=false")
# What a cold build of everything left in the cache, measured; a build of few tools needs a part of it.
_NEED_BYTES = 16_000_000_000
_NEED_BYTES_PER_SECOND = 9_000_000
_BYTES_OF_MEMORY_PER_JOB = 6_000_000_000


@dataclass(frozen=True, slots=True)
class Built:
    """A module's place in the cache."""

    module: Module
    directory: Path

    def path(self, name: str) -> Path:
        """Where the file `name` of the module stands, once it is there."""
        return self.directory / name

    def missing(self, skip: frozenset[str] = frozenset()) -> list[Binary]:
        """The binaries that are not built, those of ``skip`` left aside."""
        return [
            binary for binary in self.module.binaries if binary.name not in skip and not self.path(binary.name).exists()
        ]

    def incomplete(self, skip: frozenset[str]) -> bool:
        """Whether a binary or a file beside the binaries is still to be made."""
        return bool(self.missing(skip)) or not all(self.path(name).exists() for name in self.module.beside)


def locate(module: Module) -> Built:
    """Where ``module``'s binaries stand, built or not: keyed by go.mod, go.sum, sources and the recipe."""
    files = [path for path in module.source.rglob("*") if path.is_file()]
    recipe = [
        *_FLAGS,
        *(repr((binary.name, binary.package, binary.variables)) for binary in module.binaries),
        repr(module.beside),
    ]
    return Built(module, cache_dir() / "tools" / f"{module.name}-{content_key(recipe, files, module.source)}")


def build_all(
    progress: Progress, modules: tuple[Module, ...] = MODULES, skip: frozenset[str] = frozenset()
) -> dict[str, Built]:
    """Build what is missing of ``modules``, but for the binaries of ``skip``, and return each module by name.

    Safe to run twice at once and after an interruption. Raises LabError with the end of the compiler's output when a
    tool does not build.
    """
    built = {module.name: locate(module) for module in modules}
    missing = [place for place in built.values() if place.incomplete(skip)]
    if not missing:
        return built
    binaries = [binary for place in missing for binary in place.missing(skip)]
    weight = sum(binary.seconds for binary in binaries)
    require_space(cache_dir(), min(_NEED_BYTES, weight * _NEED_BYTES_PER_SECOND), "building the lab's tools")
    go = find_go(progress)
    work = _Work(binaries)
    progress.remaining = work.remaining
    if binaries:
        progress.line(
            f"building {work.total} tools from source into {cache_dir()} ({work.remaining()}); they are kept, and "
            "never built again"
        )
    jobs = _jobs()
    with ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(_build_module, place, skip, go, progress, work) for place in missing]
        try:
            for future in futures:
                future.result()
        except BaseException:
            work.stop()
            for future in futures:
                future.cancel()
            raise
        finally:
            progress.remaining = None
    return built


def _jobs() -> int:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, min(2, os.cpu_count() or 1, memory // _BYTES_OF_MEMORY_PER_JOB))


class _Work:
    """What is still to be built, and the compilers that run now."""

    def __init__(self, binaries: list[Binary]) -> None:
        self.total = len(binaries)
        self._left = {binary.name: binary.seconds for binary in binaries}
        self._weight = sum(self._left.values())
        self._started = time.monotonic()
        self._since: dict[str, float] = {}
        self._processes: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self.stopped = False

    def begun(self, binary: Binary) -> None:
        """A compiler starts on this one."""
        with self._lock:
            self._since[binary.name] = time.monotonic()

    def done(self, binary: Binary) -> None:
        """This one stands in the cache."""
        with self._lock:
            self._since.pop(binary.name, None)
            self._left.pop(binary.name, None)

    def remaining(self) -> str:
        """How many tools and about how many minutes are left, from the pace so far."""
        with self._lock:
            # What runs now is partly done: a slow first tool must not make the rest look endless.
            now = time.monotonic()
            under_way = sum(
                min((now - since) / max(1, len(self._since)), 0.9 * self._left.get(name, 0))
                for name, since in self._since.items()
            )
            left = sum(self._left.values()) - under_way
            count = len(self._left)
        if not count:
            return ""
        finished = self._weight - left
        elapsed = time.monotonic() - self._started
        # Until enough is finished to know this machine's pace, the pace of the machine of the catalog counts.
        pace = elapsed / finished if finished > 0.2 * self._weight else 0.8
        return f"{count} of {self.total} to go, about {max(1, round(left * pace / 60))} min"

    def run(self, command: list[str], log: Path, environment: dict[str, str], cwd: Path) -> int:
        with log.open("wb") as output:
            with self._lock:
                if self.stopped:
                    return -signal.SIGTERM
                # A session of its own: Ctrl-C reaches this process alone, which then ends the compiler and all its
                # children.
                process = subprocess.Popen(
                    command, stdout=output, stderr=subprocess.STDOUT, env=environment, cwd=cwd, start_new_session=True
                )
                self._processes.add(process)
            code = process.wait()
            with self._lock:
                self._processes.discard(process)
            return code

    def stop(self) -> None:
        with self._lock:
            self.stopped = True
            for process in self._processes:
                try:
                    os.killpg(process.pid, signal.SIGTERM)
                except ProcessLookupError:
                    continue


def _build_module(place: Built, skip: frozenset[str], go: str, progress: Progress, work: _Work) -> None:
    module = place.module
    lock = cache_dir() / "locks" / f"tools-{module.name}.lock"
    with locked(lock, lambda pid: progress.line(f"  .. {module.name}: waiting for process {pid}, which builds it")):
        place.directory.mkdir(parents=True, exist_ok=True)
        sources = _lay_out(place, go)
        try:
            for binary in module.binaries:
                # Another process may have built it while this one waited for the lock.
                if binary in place.missing(skip):
                    work.begun(binary)
                    with progress.task(binary.name, f"building {binary.name}"):
                        _compile(place, binary, go, sources, work)
                work.done(binary)
        finally:
            shutil.rmtree(sources, ignore_errors=True)


def go_environment() -> dict[str, str]:
    """What ``go`` sees: its caches in ours, no other toolchain fetched, and pure Go, so that
    no C compiler is needed.
    """
    go_cache = cache_dir() / "go"
    return {
        **os.environ,
        "GOMODCACHE": str(go_cache / "mod"),
        "GOCACHE": str(go_cache / "build"),
        "GOFLAGS": "-modcacherw -mod=readonly",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "CGO_ENABLED": "0",
    }


def _lay_out(place: Built, go: str) -> Path:
    """Copy the module's sources to a scratch directory, with the files that have to stand beside them."""
    sources = cache_dir() / "work" / place.directory.name
    shutil.rmtree(sources, ignore_errors=True)
    shutil.copytree(place.module.source, sources)
    for name, (module, path) in place.module.beside.items():
        result = subprocess.run(
            [go, "mod", "download", "-json", module],
            cwd=sources,
            env=go_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode:
            raise LabError(
                f"the Go module {module} cannot be fetched: {result.stdout.strip()} "
                f"{result.stderr.strip()}\n{_FETCH_HELP}"
            )
        directory = subprocess.run(
            [go, "list", "-m", "-f", "{{.Dir}}", module],
            cwd=sources,
            env=go_environment(),
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        source = Path(directory) / path
        shutil.copy(source, sources / name)
        if not (place.directory / name).exists():
            shutil.copy(source, place.directory / f"{name}.partial")
            (place.directory / f"{name}.partial").chmod(0o755 if os.access(source, os.X_OK) else 0o644)
            (place.directory / f"{name}.partial").rename(place.directory / name)
    return sources


_FETCH_HELP = (
    "Check that this machine reaches a Go module proxy (go env GOPROXY), then run the same command again: it continues "
    "where it stopped."
)


def _compile(place: Built, binary: Binary, go: str, sources: Path, work: _Work) -> None:
    log = place.directory / f"{binary.name}.log"
    partial = place.directory / f"{binary.name}.partial"
    linker = " ".join(["-s", "-w", *(f"-X {variable}" for variable in binary.variables)])
    command = [go, "build", *_FLAGS, "-ldflags", linker, "-o", str(partial), binary.package]
    code = work.run(command, log, go_environment(), sources)
    if code == 0:
        partial.rename(place.path(binary.name))
        log.unlink()
        return
    partial.unlink(missing_ok=True)
    if work.stopped:
        raise LabError(f"building {binary.name} was stopped; run the same command again to continue where it stopped.")
    text = log.read_text(errors="replace")
    if "no space left on device" in text:
        raise LabError(
            f"the disk of {cache_dir()} is full: {binary.name} could not be built. Free some space, or set WEIR_CACHE "
            "to a directory on a larger disk, then run the same command again."
        )
    unreachable = re.search(r"^go: .*(dial tcp|no such host|timeout|connection refused|50\d )", text, re.MULTILINE)
    hint = (
        _FETCH_HELP
        if unreachable
        else (f"Name one you have instead: WEIR_TOOL_{binary.name.upper().replace('-', '_')}=/path/to/{binary.name}")
    )
    raise LabError(
        f"{binary.name} does not build (go exited with {code}; whole output in {log}):\n{last_lines(log)}\n{hint}"
    )
