"""The control of a rollout: fresh pods of the stable version beside those of the new one, as many, with as many
requests. Compared with these, the new version differs from the stable one by nothing but what it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from weir.model.config.stack import Service

_PODS = ("replicas", "autoscaling")
"""How many pods it has: as many as the new version."""

_LABELS = "labels"
"""They tell the stable version's pods from others, and so from the control's."""


def control_of(stable: str) -> str:
    """The name of the version that is the control of this one."""
    return f"{stable}-control"


def copied(stable: Mapping[str, Any], version: Mapping[str, Any]) -> dict[str, Any]:
    """The control in a stack file, from what the file says of the two versions."""
    settings = {key: value for key, value in stable.items() if key not in (_LABELS, *_PODS)}
    return settings | {key: version[key] for key in _PODS if key in version}


def with_control(service: Service, stable: str, version: str, control: str) -> Service:
    """The service with the control where its config lacks it."""
    if control in service.versions:
        return service
    of_version = {key: getattr(service.versions[version], key) for key in _PODS}
    made = service.versions[stable].model_copy(update={_LABELS: None, **of_version})
    return service.model_copy(update={"versions": {**service.versions, control: made}})


def control_share(share: Decimal, canary: Mapping[str, Decimal], *but: str) -> Decimal:
    """The control's percent: that of the new version, or what is left. `canary`: what the config says; `but`: the
    versions of the rollout, of which it is not asked.
    """
    others = sum((each for name, each in canary.items() if name not in but), Decimal(0))
    return max(Decimal(0), min(share, 100 - share - others))


def why_no_control(service: Service, stable: str, version: str) -> str:
    """Why the service can have none; empty where it can."""
    if service.workload(stable) is None:
        return f"weir makes no pods of {stable}, and so cannot make more of them"
    if service.workload(version) is not None and service.scaling(version) is None:
        return f"the number of pods of {version} is somebody else's, who does not know of the control's"
    return ""
