"""The settings that make Pulumi and kubectl work on the lab: a private Pulumi home with the built providers, a file
backend for the state, a passphrase, the kubeconfig, and the tools on PATH."""

from __future__ import annotations

import os
from pathlib import Path

from lab.errors import LabError
from lab.paths import LabPaths
from lab.tools.catalog import PULUMI_KUBERNETES_VERSION, PULUMI_RANDOM_VERSION
from lab.tools.toolset import Toolset

# The same for every lab, so that the salt that goes with it can be committed with a stack's file: a passphrase of each
# machine's own would have `pulumi` write that machine's salt into the file, and fail on the next.
# docs/decisions/0003-passphrase-of-the-lab.md
_PASSPHRASE = "weir-lab"
_PLUGINS = {"kubernetes": PULUMI_KUBERNETES_VERSION, "random": PULUMI_RANDOM_VERSION}


def install(paths: LabPaths, tools: Toolset) -> None:
    """Link the tools and providers in use into the lab's directory; make the state's directory and passphrase once."""
    tools.link(paths.bin)
    for name, version in _PLUGINS.items():
        plugin = f"pulumi-resource-{name}"
        directory = _pulumi_home(paths) / "plugins" / f"resource-{name}-v{version}"
        directory.mkdir(parents=True, exist_ok=True)
        link = directory / plugin
        if not link.is_symlink() or link.readlink() != tools[plugin]:
            link.unlink(missing_ok=True)
            link.symlink_to(tools[plugin])
    paths.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    _passphrase(paths).write_text(_PASSPHRASE)


def settings(paths: LabPaths) -> dict[str, str]:
    """The environment variables of a shell on the lab. Raises LabError when the lab was never started."""
    paths.require_own()
    if not paths.kubeconfig.exists():
        raise LabError("there is no lab in this checkout yet: weir lab up")
    return {
        "PATH": f"{paths.bin}:{os.environ.get('PATH', '')}",
        "KUBECONFIG": str(paths.kubeconfig),
        "PULUMI_HOME": str(_pulumi_home(paths)),
        # No notes beside the states: one that an update was killed in the middle of makes its state unreadable.
        "PULUMI_BACKEND_URL": f"file://{paths.state}?metadata=skip",
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(_passphrase(paths)),
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }


def _pulumi_home(paths: LabPaths) -> Path:
    return paths.lab / "pulumi"


def _passphrase(paths: LabPaths) -> Path:
    return paths.state / "passphrase"
