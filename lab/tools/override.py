"""Tools that the user names instead of building them: ``WEIR_TOOL_PULUMI=/usr/local/bin/pulumi``.

The variable is ``WEIR_TOOL_`` and the tool's name in capitals with ``_`` for ``-``. A named tool is used after a check
that it runs, and that its version is the minor version that the lab was made with, or a newer one of the same major.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError
from lab.tools.catalog import ENVOY_VERSION, ISTIO_VERSION, KUBERNETES_VERSION, PULUMI_RANDOM_VERSION, PULUMI_VERSION

_ANSWER_SECONDS = 30


@dataclass(frozen=True, slots=True)
class _Check:
    arguments: tuple[str, ...]
    minimum: str


_KUBERNETES = _Check(("--version",), KUBERNETES_VERSION.removeprefix("v"))
_CHECKS: dict[str, _Check] = {
    "pulumi": _Check(("version",), PULUMI_VERSION),
    "pulumi-resource-random": _Check(("--version",), PULUMI_RANDOM_VERSION),
    "kube-apiserver": _KUBERNETES,
    "kube-controller-manager": _KUBERNETES,
    "kube-scheduler": _KUBERNETES,
    "kubelet": _KUBERNETES,
    "kube-proxy": _KUBERNETES,
    # kubectl is supported one minor version away from the API server.
    "kubectl": _Check(("version", "--client"), "1.35.0"),
    "etcd": _Check(("--version",), "3.6.0"),
    "coredns": _Check(("-version",), "1.12.0"),
    "istioctl": _Check(("version", "--remote=false"), ISTIO_VERSION),
    "pilot-discovery": _Check(("version", "--short"), ISTIO_VERSION),
    "pilot-agent": _Check(("version", "--short"), ISTIO_VERSION),
    "envoy": _Check(("--version",), ENVOY_VERSION),
}


def variable(name: str) -> str:
    """The environment variable that names the tool ``name``."""
    return f"WEIR_TOOL_{name.upper().replace('-', '_')}"


def override(name: str) -> Path | None:
    """The path the user gave for the tool ``name``, checked, or None when none was given.

    Raises LabError when it does not run, or is older than what the lab needs.
    """
    given = os.environ.get(variable(name))
    if not given:
        return None
    path = Path(given).absolute()
    cure = f"Name another, or unset {variable(name)} to let weir build its own."
    if not os.access(path, os.X_OK) or path.is_dir():
        raise LabError(f"{variable(name)}={given} is not an executable program. {cure}")
    check = _CHECKS.get(name)
    if check is None:
        return path
    try:
        answer = subprocess.run(
            [str(path), *check.arguments], capture_output=True, text=True, timeout=_ANSWER_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LabError(f"{variable(name)}={given} does not run: {error}. {cure}") from error
    found = re.search(r"(\d+)\.(\d+)\.(\d+)", answer.stdout + answer.stderr)
    if found is None:
        raise LabError(
            f"{variable(name)}={given} does not say its version when asked with {' '.join(check.arguments)}. {cure}"
        )
    minimum = tuple(map(int, check.minimum.split(".")))
    version = tuple(map(int, found.groups()))
    if version[0] != minimum[0] or version[:2] < minimum[:2]:
        needed = f"{minimum[0]}.{minimum[1]} or a newer {minimum[0]}.x"
        raise LabError(f"{variable(name)}={given} is version {found[0]}; {needed} is needed. {cure}")
    return path
