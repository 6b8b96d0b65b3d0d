"""Where objects go: the namespace of a stack, whose real name may be known only while the program runs."""

from __future__ import annotations

from typing import Any

import pulumi

from weir.model import Manifest
from weir.model.workloads import OWNER


def owner() -> str:
    """This stack, as the annotation has it."""
    return f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}"


def placed(
    manifest: Manifest, namespace: pulumi.Input[str] | None, annotations: pulumi.Input[dict[str, str]] | None = None
) -> dict[str, Any]:
    """The object's metadata for Pulumi, in the real namespace. All else about it, the name above all, is known in every preview.

    `namespace` is None for what has none.

    The name is explicit, so the provider replaces by deleting first, by itself, where the new object would have the old one's name.
    """
    own = {OWNER: owner(), **manifest["metadata"].get("annotations", {})}
    all_of_them = pulumi.Output.from_input(annotations or {}).apply(lambda known: {**own, **known})
    metadata: dict[str, Any] = {**manifest["metadata"], "annotations": all_of_them}
    return metadata if namespace is None else {**metadata, "namespace": namespace}
