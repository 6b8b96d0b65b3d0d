"""The images that run in the lab, made of built tools and a Debian base, under the names that the manifests use.

``hashicorp/http-echo:1.0.0`` and ``curlimages/curl:latest`` are the tutorial's names: the first holds the same
program, built from its own module; the second is Debian's curl, which also has the tag of its version, for stacks that
pin images. Prometheus is Debian's, too. Nothing is pulled: the lab has no way out.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from lab.errors import LabError
from lab.host import command_path
from lab.images.archive import Image, Layer, write_archive, write_layer
from lab.progress import Progress
from lab.tools.cache import cache_dir, content_key, locked, require_space
from lab.tools.catalog import FORTIO_VERSION, ISTIO_VERSION
from lab.tools.toolset import Toolset

HUB = "weir.local/istio"
PAUSE_IMAGE = "weir.local/pause:1"
PROMETHEUS_IMAGE = "prom/prometheus:v2.42.0"
"""With the version that the release has; its fixes of security are backports."""
_BASE_PACKAGES = ("curl", "iptables", "ca-certificates", "iproute2")
_BASE_RELEASE = "bookworm"
# That of the release; its fixes of security are backports.
_CURL_VERSION = "7.88.1"
_UNUSED = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")
_NEED_BYTES = 1_500_000_000
# Istio's images run as this user; its iptables rules let traffic of this user pass the sidecar.
_PROXY_USER = "1337"


def build_images(tools: Toolset, progress: Progress) -> Path:
    """The archive with every image, written when it is not in the cache under this content."""
    sources = [Path(__file__), Path(__file__).with_name("archive.py")]
    archive = cache_dir() / "images" / f"lab-{content_key([tools.key], sources)}.tar"
    if archive.exists():
        return archive
    require_space(cache_dir() / "images", _NEED_BYTES, "the lab's images")
    with locked(
        cache_dir() / "locks" / "images.lock",
        lambda pid: progress.line(f"  .. images: waiting for process {pid}, which builds them"),
    ):
        if archive.exists():
            return archive
        base, prometheus = _base(progress), _prometheus(progress)
        with progress.task("images", "writing the images"), tempfile.TemporaryDirectory(dir=archive.parent) as scratch:
            write_archive(archive, _images(tools, Layer.of(base), prometheus, Path(scratch)))
        for old in archive.parent.glob("lab-*.tar"):
            # An archive is only read while a lab starts; a lab that reads one keeps it open.
            if old != archive:
                old.unlink(missing_ok=True)
    return archive


def _base(progress: Progress) -> Path:
    base = cache_dir() / "images" / f"base-{content_key([_BASE_RELEASE, *_BASE_PACKAGES, *_UNUSED])}.tar"
    if base.exists():
        return base
    command = ["--variant=essential", f"--include={','.join(_BASE_PACKAGES)}", "--format=tar"]
    command += [f"--dpkgopt=path-exclude={pattern}" for pattern in _UNUSED]
    # What only apt and its caches need is not part of a file system that never installs anything.
    command += ["--customize-hook=rm -rf $1/var/lib/apt/lists/* $1/var/cache/*"]
    with progress.task("base", f"making the images' base file system (Debian {_BASE_RELEASE})"):
        partial = base.with_name(base.name + ".partial")
        _mmdebstrap(command, partial)
        partial.rename(base)
    return base


def _prometheus(progress: Progress) -> Path:
    """Debian's Prometheus: the program alone, without the pages and fonts that its package asks for."""
    program = cache_dir() / "images" / f"prometheus-{content_key([_BASE_RELEASE, PROMETHEUS_IMAGE])}"
    if program.exists():
        return program
    extracted = program.with_name(program.name + ".partial")
    with progress.task("prometheus", f"fetching Prometheus (Debian {_BASE_RELEASE})"):
        shutil.rmtree(extracted, ignore_errors=True)
        _mmdebstrap(["--variant=extract", "--include=prometheus", "--format=directory"], extracted)
        (extracted / "usr" / "bin" / "prometheus").rename(program)
        shutil.rmtree(extracted)
    return program


def _mmdebstrap(options: list[str], target: Path) -> None:
    """Make a file system of the release at `target`; nothing is left there when it fails."""
    log = target.with_name("base.log")
    with log.open("wb") as output:
        code = subprocess.run(
            ["mmdebstrap", "--quiet", *options, _BASE_RELEASE, str(target)],
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PATH": command_path()},
            check=False,
        ).returncode
    if code:
        if target.is_dir():
            shutil.rmtree(target)
        target.unlink(missing_ok=True)
        raise LabError(
            f"mmdebstrap exited with {code}: {log.read_text(errors='replace').strip()[-1500:]}\n"
            "Check that apt-get update works on this machine, then run the same command again."
        )


def _images(tools: Toolset, base: Layer, prometheus: Path, scratch: Path) -> tuple[Image, ...]:
    def layer(name: str, files: dict[str, tuple[Path, int]], directories: dict[str, int] | None = None) -> Layer:
        return write_layer(scratch / f"{name}.tar", files, directories)

    def program(name: str, path: str) -> dict[str, tuple[Path, int]]:
        return {path: (tools[name], 0o755)}

    bootstrap = {"var/lib/istio/envoy/envoy_bootstrap_tmpl.json": (tools["envoy_bootstrap.json"], 0o644)}
    proxy = layer(
        "proxyv2",
        program("envoy", "usr/local/bin/envoy") | program("pilot-agent", "usr/local/bin/pilot-agent") | bootstrap,
    )
    pilot = layer("pilot", program("pilot-discovery", "usr/local/bin/pilot-discovery") | bootstrap)
    return (
        Image(PAUSE_IMAGE, (layer("pause", program("pause", "pause")),), ("/pause",)),
        Image(f"{HUB}/proxyv2:{ISTIO_VERSION}", (base, proxy), ("/usr/local/bin/pilot-agent",), user=_PROXY_USER),
        Image(f"{HUB}/pilot:{ISTIO_VERSION}", (base, pilot), ("/usr/local/bin/pilot-discovery",), user=_PROXY_USER),
        Image(
            "docker.io/hashicorp/http-echo:1.0.0",
            (layer("http-echo", program("http-echo", "http-echo")),),
            ("/http-echo",),
            user="65532",
        ),
        *(
            Image(f"docker.io/curlimages/curl:{tag}", (base,), ("/usr/bin/curl",), user="100")
            for tag in ("latest", _CURL_VERSION)
        ),
        Image(
            f"docker.io/{PROMETHEUS_IMAGE}",
            (base, layer("prometheus", {"usr/bin/prometheus": (prometheus, 0o755)})),
            ("/usr/bin/prometheus",),
            user="65534",
        ),
        # Istio's own load generator, and a server that fails, waits and echoes on request.
        Image(
            f"docker.io/fortio/fortio:{FORTIO_VERSION}",
            (layer("fortio", program("fortio", "usr/bin/fortio")),),
            ("/usr/bin/fortio",),
            user="65532",
        ),
    )
