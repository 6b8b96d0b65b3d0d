"""What an update would bring besides one version that comes or goes, by Pulumi's preview of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from weir.cli.diff import text_of
from weir.engine.preview import parse
from weir.model.routing.diff import TrafficChange
from weir.model.routing.words import describe


def besides(op: str, versions: Mapping[str, str], preview: Any) -> str:
    """In words, what the update of a preview does besides creating (`op` create) or removing (delete) these versions,
    by service, none of which gets requests; empty where that is nothing.
    """
    own = {(op, f"{service}-{version}") for service, version in versions.items()}
    steps = [step for step in preview["steps"] if (step["op"], str(step.get("urn")).rpartition("::")[2]) not in own]
    rest = parse({**preview, "steps": steps})

    def foreign(change: TrafficChange) -> bool:
        gone = change.kind == "prepared" and change.after is None and versions.get(change.service) == change.version
        # Entries of hosts at gateways have the routes of their service.
        follows = change.kind == "entryRoutes" and change.after.partition(":")[0] in versions
        return not gone and not follows

    hosts = {f"host {name}": told for name, told in rest.hosts.items()}
    told = {name: list(map(describe, filter(foreign, each))) for name, each in {**rest.services, **hosts}.items()}
    return "; ".join(text_of(told, rest.others).splitlines()) if any(told.values()) or rest.others else ""
