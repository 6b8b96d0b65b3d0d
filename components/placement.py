"""Where objects go: a namespace, whose real name may be known only while the program runs, and what is checked before
anything is put there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import pulumi

from weir.model import Manifest
from weir.model.manifests.annotations import OWNER

if TYPE_CHECKING:
    from components.safeguards import Safeguards


def owner() -> str:
    """This stack, as the annotation has it."""
    return f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}"


After: TypeAlias = "pulumi.Input[Sequence[pulumi.Input[pulumi.Resource]]]"
"""What must be there before a resource: known at once, or once the cluster has been asked."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a component puts its objects, and what sees to them."""

    namespace: pulumi.Input[str]
    guard: Safeguards
    after: After = field(default=())


async def known(namespace: pulumi.Input[str]) -> str | None:
    """The real name of the namespace; None in the first preview of an ephemeral stack, where nobody knows it yet and
    nothing stands in it.
    """
    name = pulumi.Output.from_input(namespace)
    return await name.future() if await name.is_known() else None


def placed(
    manifest: Manifest,
    place: Place | None,
    annotations: pulumi.Input[dict[str, str]] | None = None,
    *,
    new: bool = False,
) -> dict[str, Any]:
    """The object's metadata for Pulumi, in the real namespace. All else about it, the name above all, is known in
    every preview.

    `place` is None for what has no namespace; `new`: nobody can have made one of that name, so that the cluster is not
    asked as whom the provider writes it.

    The name is explicit, so the provider replaces by deleting first, by itself, where the new object would have the
    old one's name.
    """
    own = {OWNER: owner(), **manifest["metadata"].get("annotations", {})}

    async def annotated() -> dict[str, str]:
        if place is None or new:
            return own
        return {
            **own,
            **await place.guard.ownership.manager(manifest["kind"], manifest["metadata"]["name"], place.namespace),
        }

    all_of_them = pulumi.Output.all(annotated(), annotations or {}).apply(lambda both: {**both[0], **both[1]})
    metadata: dict[str, Any] = {**manifest["metadata"], "annotations": all_of_them}
    return metadata if place is None else {**metadata, "namespace": place.namespace}
