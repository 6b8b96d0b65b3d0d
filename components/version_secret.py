"""The Secret of a version: what of its pods' environment nobody is shown."""

from __future__ import annotations

import pulumi
from pulumi_kubernetes.core.v1 import Secret

from components.placement import placed
from weir.model import Manifest


def version_secret(name: str, manifest: Manifest, namespace: pulumi.Input[str], parent: pulumi.Resource) -> pulumi.Output[str]:
    """The Secret under a name that Pulumi generates, which is what is returned.

    Other values are another Secret with another name. So the pods' template changes, and new pods start with the new values; the Secret
    before it goes last, once no pod needs it. A name says nothing of the values, where a digest of them could be guessed. Nobody can have
    made an object of such a name, so the cluster is not asked whether somebody has.
    """
    metadata = {key: value for key, value in placed(manifest, namespace).items() if key != "name"}
    made = Secret(
        name,
        metadata=metadata,
        type=manifest["type"],
        immutable=manifest["immutable"],
        string_data={key: pulumi.Output.secret(value.text) for key, value in manifest["stringData"].items()},
        opts=pulumi.ResourceOptions(parent=parent),
    )
    known_as: pulumi.Output[str] = made.metadata.apply(lambda given: str(given["name"]))
    return known_as
