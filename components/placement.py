"""Where objects go: the namespace of a stack, whose real name may be known only while the program runs."""

from __future__ import annotations

from typing import Any

import pulumi

from weir.model import Manifest


def placed(manifest: Manifest, namespace: pulumi.Input[str], annotations: dict[str, str] | None = None) -> dict[str, Any]:
    """The object's metadata for Pulumi, in the real namespace. All else about it, the name above all, is known in every preview.

    The name is explicit, so the provider replaces by deleting first, by itself, where the new object would have the old one's name.
    """
    metadata: dict[str, Any] = {**manifest["metadata"], "namespace": namespace}
    if annotations:
        metadata["annotations"] = annotations
    return metadata
