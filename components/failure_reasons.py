"""Failure reasons: why pods did not become ready, in their own words."""

from __future__ import annotations

import re
from typing import Any

import pulumi

from components.cluster import Cluster

_CONFLICT = re.compile(r'conflicts? with "([^"]+)"')
"""What the API server says of a field that somebody else manages (server-side apply), with the name of the field
manager.
"""
_CANCELLED = re.compile(r"cancell?ed", re.IGNORECASE)
"""What the provider says of what it was waiting for when Ctrl-C came."""


class FailureReasons:
    """The hook of pods that could not be created or changed."""

    def __init__(self, cluster: Cluster) -> None:
        """Nothing is asked yet."""
        self._cluster = cluster

    async def tell(self, args: pulumi.ErrorHookArgs) -> bool:
        """Hook: say which version is at fault, with the reason its pods give and the last lines of their log; the
        operation is not tried again.
        """
        inputs: Any = args.new_inputs or args.old_inputs
        labels = inputs["metadata"].get("labels", {})
        namespace, service, version = inputs["metadata"].get("namespace"), labels.get("app"), labels.get("version")
        held = sorted({name for error in args.errors for name in _CONFLICT.findall(error)})
        if held:
            what = f"version {version} of {service}" if version else str(service)
            pulumi.log.error(
                f"{what} was not changed: field manager {', '.join(held)} owns a field that this update sets. "
                "To take the field over: PULUMI_K8S_ENABLE_PATCH_FORCE=true pulumi up\nTraffic is unchanged."
            )
        elif version and any(_CANCELLED.search(error) for error in args.errors):
            pulumi.log.error(
                f"the update was interrupted while pods of version {version} of {service} started; the next pulumi "
                "up continues from here."
            )
        elif version and isinstance(namespace, str):
            reason = await self._cluster.failure_reason(namespace, str(service), version)
            told = f":\n{reason}" if reason else "; its pods give no reason"
            pulumi.log.error(
                f"version {version} of {service} did not become ready{told}\nTraffic is unchanged; the next pulumi up "
                "continues from here."
            )
        return False
