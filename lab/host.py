"""What the host must bring: Linux, root, and a few Debian packages, which are installed when missing."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from lab.errors import LabError
from lab.progress import Progress

# What has to exist, and the Debian package that brings it.
_REQUIRED = {
    "containerd": "containerd",
    "ctr": "containerd",
    "containerd-shim-runc-v2": "containerd",
    "runc": "runc",
    "/usr/lib/cni/ptp": "containernetworking-plugins",
    "conntrack": "conntrack",
    "iptables": "iptables",
    "mmdebstrap": "mmdebstrap",
    "ip": "iproute2",
    "openssl": "openssl",
    "nsenter": "util-linux",
}
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def command_path() -> str:
    """PATH with the system's directories, which a bare shell of root may lack."""
    return f"{os.environ.get('PATH', '')}:{_SYSTEM_PATH}"


def require_root() -> None:
    """Refuse to go on as anyone but root on Linux: namespaces, mounts and cgroups need it."""
    if sys.platform != "linux":
        raise LabError(
            f"the lab runs on Linux, this is {platform.system()}. Point weir at a cluster of your own instead: "
            "README, 'Your own cluster'."
        )
    if os.geteuid() != 0:
        raise LabError(
            "the lab needs root: it makes a network namespace, mounts and cgroups. Run it with sudo, or point weir at "
            "a cluster of your own, which needs no lab: README, 'Your own cluster'."
        )


def missing_packages() -> list[str]:
    """Debian packages that the machine lacks, sorted."""
    path = command_path()
    return sorted({package for name, package in _REQUIRED.items() if not _exists(name, path)})


def _exists(name: str, path: str) -> bool:
    return Path(name).exists() if name.startswith("/") else shutil.which(name, path=path) is not None


def install_packages(progress: Progress) -> None:
    """Install what is missing with apt-get; where that cannot be done, one message names all of it."""
    missing = missing_packages()
    if not missing:
        return
    by_hand = f"Install them yourself, then run the same command again: apt-get install {' '.join(missing)}"
    if shutil.which("apt-get") is None:
        raise LabError(
            f"this machine lacks {', '.join(missing)} (Debian's package names), and has no apt-get. {by_hand}"
        )
    with progress.task("packages", f"installing {' '.join(missing)}"):
        for command in (
            ["apt-get", "update", "-q"],
            ["apt-get", "install", "-q", "-y", "--no-install-recommends", *missing],
        ):
            result = subprocess.run(
                command,
                capture_output=True,
                text=True,
                check=False,
                env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            )
            # A failed update is no failure yet: the lists of an earlier one may do.
            if result.returncode and command[1] == "install":
                raise LabError(f"{' '.join(command)} failed:\n{result.stderr.strip()[-2000:]}\n{by_hand}")
    if still := missing_packages():
        raise LabError(f"{', '.join(still)} were installed, but what the lab needs of them is not there. {by_hand}")
