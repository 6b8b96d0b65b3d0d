"""What weir writes on its objects, and how it reads it again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

PREFIX = "weir.dev/"
"""What the names of weir's own annotations begin with."""


OWNER = f"{PREFIX}stack"
"""The annotation that says which stack made an object: without it nobody could tell what an update that was cut off
had made.
"""


MANAGER = "pulumi.com/patchFieldManager"
"""The annotation with the field manager as which the provider writes an object. Left out, it makes one up and keeps it
in the state, which an update that was killed may not have written: nobody could change the object ever after.
"""


SEALED = f"{PREFIX}sealed"
"""The annotation of a version's Deployment with a digest of what its secrets are encrypted to in the stack file: where
the file has another one, its secrets may have changed. Each encryption is another text, so that it tells nothing of a
value.
"""


SPEC = f"{PREFIX}spec"
"""The annotation with the digest of the spec that weir wrote: where the spec has another one, somebody has edited it
since.
"""


RESTORED = f"{PREFIX}restored"
"""The annotation with the digest of the edit that weir last undid. It changes with each, which is what makes an update
of undoing one.
"""


REPLICAS = f"{PREFIX}replicas"
"""The annotation of a version's Deployment that says who owns the number of its pods: `external` where weir does not,
and OWN where weir does again, and has to take it back from who owned it.
"""


OWN = "own"
"""Its value where weir owns the number again."""


WORKLOAD = f"{PREFIX}workload"
"""The annotation of a version's subset that says what of somebody else's runs its pods, such as deployment/shop-v2."""


LAGGING = f"{PREFIX}lagging"
"""The annotation of a rule that the proxies concerned had not acknowledged when an update gave up waiting: the next
one asks about it again.
"""


FAULT_UNTIL = "fault-until.weir.dev/"
"""The annotation with the moment at which the fault of a route ends; the name of the route follows."""


VERSION_HOST = "host.weir.dev/"
"""The annotation of a VirtualService with the other Service that a version is, as `HOST:PORT`; the name of the version
follows. A destination without a subset has no room for the name.
"""


EXTERNAL_HOST = "external-host.weir.dev/"
"""The same for a version at an external host."""


def digest(spec: Any) -> str:
    """A short digest of an object's spec, the same for the same JSON whatever the order of its keys."""
    return hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()[:16]


def annotation(found: Mapping[str, Any] | None, name: str) -> str | None:
    """An annotation of an object in the cluster; None where it has none of this name, or there is no object."""
    value: str | None = ((found or {}).get("metadata", {}).get("annotations") or {}).get(name)
    return value


def edited(found: Mapping[str, Any]) -> bool:
    """Whether an object of Istio that weir wrote has been edited by somebody else since."""
    written = annotation(found, SPEC)
    return written is not None and written != digest(found.get("spec"))
