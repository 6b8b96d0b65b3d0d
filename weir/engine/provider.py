"""The Kubernetes provider, kept from one update to the next: reading the cluster's API is most of what it does.

`PULUMI_DEBUG_PROVIDERS=kubernetes:PORT` has the engine use a provider that runs already (Pulumi's documentation, "Debugging providers"). It
is the file that the engine itself would start.
"""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from weir.engine.kept import Kept
from weir.processes import until_killed

VARIABLE = "PULUMI_DEBUG_PROVIDERS"


_providers: dict[Path, Kept] = {}


def provider() -> Kept | None:
    """The provider's process, whose `place` is its port: started the first time it is asked for, and again where it has ended.

    None where the engine has it from elsewhere, where the user names one, and where it could outlive this process.
    """
    try:
        name = f"resource-kubernetes-v{version('pulumi-kubernetes')}"
    except PackageNotFoundError:
        return None
    home = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
    file = home / "plugins" / name / "pulumi-resource-kubernetes"
    bound = until_killed()
    if not bound or VARIABLE in os.environ or not os.access(file, os.X_OK):
        return None
    found = _providers.get(file)
    if found is None or found.ended:
        found = _providers[file] = Kept([*bound, str(file)], os.environ)
    return found


def setting() -> dict[str, str]:
    """What has the engine use it, as environment variables; empty where there is none."""
    kept = provider()
    place = kept.place if kept else ""
    return {VARIABLE: f"kubernetes:{place}"} if place.isdigit() else {}
