"""Where objects go: the namespace of a stack, whose real name may be known only while the program runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import pulumi

from weir.model import Manifest
from weir.model.manifests.kubernetes import OWNER

if TYPE_CHECKING:
    from components.safeguards import Safeguards


def owner() -> str:
    """This stack, as the annotation has it."""
    return f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}"


After: TypeAlias = "pulumi.Input[Sequence[pulumi.Input[pulumi.Resource]]]"
"""What must be there before a resource: known at once, or once the cluster has been asked."""


async def known(namespace: pulumi.Input[str]) -> str | None:
    """The real name of the namespace; None in the first preview of an ephemeral stack, where nobody knows it yet and nothing stands in it."""
    name = pulumi.Output.from_input(namespace)
    return await name.future() if await name.is_known() else None


def placed(
    manifest: Manifest,
    namespace: pulumi.Input[str] | None,
    guard: Safeguards | None = None,
    annotations: pulumi.Input[dict[str, str]] | None = None,
) -> dict[str, Any]:
    """The object's metadata for Pulumi, in the real namespace. All else about it, the name above all, is known in every preview.

    `namespace` is None for what has none; `guard` tells as whom the provider writes the object.

    The name is explicit, so the provider replaces by deleting first, by itself, where the new object would have the old one's name.
    """
    own = {OWNER: owner(), **manifest["metadata"].get("annotations", {})}

    async def annotated() -> dict[str, str]:
        if guard is None or namespace is None:
            return own
        return {**own, **await guard.manager(manifest["kind"], manifest["metadata"]["name"], await known(namespace))}

    all_of_them = pulumi.Output.all(annotated(), annotations or {}).apply(lambda both: {**both[0], **both[1]})
    metadata: dict[str, Any] = {**manifest["metadata"], "annotations": all_of_them}
    return metadata if namespace is None else {**metadata, "namespace": namespace}
