"""What a config says and the cluster does not have: the objects that another update would change, made or removed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from weir.model import Manifest

Key = tuple[str, str]
"""Kind and name of an object."""

_ISTIO = "networking.istio.io/"
_UNITS = {
    "": Decimal(1),
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("0.001"),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "T": Decimal(10**12),
    "P": Decimal(10**15),
    "E": Decimal(10**18),
    "Ki": Decimal(2**10),
    "Mi": Decimal(2**20),
    "Gi": Decimal(2**30),
    "Ti": Decimal(2**40),
    "Pi": Decimal(2**50),
    "Ei": Decimal(2**60),
}
# What a container may have been rid of: elsewhere Kubernetes adds what nobody wrote, here it does not.
_WHOLE = ("args", "command", "env", "envFrom", "resources", "volumeMounts")


def pending(
    written: Iterable[Manifest], there: Mapping[Key, Mapping[str, Any]], owner: str, leave_out: Collection[Key] = ()
) -> tuple[str, ...]:
    """The objects, as `KIND NAME`, in which the cluster differs from `written`, without those in `leave_out`.

    `there`: the objects of the namespace by kind and name. `owner`: the stack, PROJECT/NAME; its objects that are not
    in `written` are listed too, since an update deletes them.
    """
    # It brings the model along, which who asks the cluster alone does without.
    from weir.model.manifests.kubernetes import with_port_names, with_secret

    wanted = {
        (str(each["kind"]), str(each["metadata"]["name"])): each for each in written if each["kind"] != "Namespace"
    }
    # Nobody reads a Secret to look. That pods take one, and which of their variables from it, is seen; it has a name
    # that was generated. Whether its values may be others is seen as well: by what they are encrypted to in the stack
    # file, of which the Deployment has a digest.
    for name in [name for kind, name in wanted if kind == "Secret"]:
        secret, pods = wanted.pop(("Secret", name)), wanted["Deployment", name]
        wanted["Deployment", name] = {
            **pods,
            "spec": with_secret(pods["spec"], secret, _known_as(there.get(("Deployment", name)), name)),
        }
    for key in [key for key in wanted if key[0] == "Service"]:
        wanted[key] = {**wanted[key], "spec": with_port_names(wanted[key]["spec"], there.get(key))}
    found = [key for key, manifest in wanted.items() if not _has(there.get(key), manifest)]
    found += [key for key, item in there.items() if key not in wanted and _owner(item).endswith(f"/{owner}")]
    return tuple(f"{kind} {name}" for kind, name in found if (kind, name) not in leave_out)


def _known_as(deployment: Mapping[str, Any] | None, name: str) -> str:
    """The Secret of weir's from which the pods of a version take variables; what none is
    called where they take none.
    """
    containers = deployment["spec"]["template"]["spec"]["containers"] if deployment else []
    env = containers[0].get("env", []) if containers else []
    taken = [str(variable.get("valueFrom", {}).get("secretKeyRef", {}).get("name", "")) for variable in env]
    return next((each for each in taken if each.startswith(f"{name}-")), name)


def _owner(item: Mapping[str, Any]) -> str:
    # As above.
    from weir.model.manifests.annotations import OWNER, annotation

    return annotation(item, OWNER) or ""


def _has(item: Mapping[str, Any] | None, manifest: Manifest) -> bool:
    """Whether the object in the cluster says all that is written. Kubernetes adds defaults; to what Istio reads nobody
    adds anything.
    """
    if item is None:
        return False
    exact = str(manifest["apiVersion"]).startswith(_ISTIO)
    notes = manifest["metadata"].get("annotations", {})
    same = item.get("spec") == manifest.get("spec") if exact else _holds(item.get("spec"), manifest.get("spec"))
    return (
        same
        and _holds(item["metadata"].get("annotations") or {}, notes)
        and _holds(item["metadata"].get("labels") or {}, _labels(manifest))
    )


def _labels(manifest: Manifest) -> Mapping[str, Any]:
    labels: Mapping[str, Any] = manifest["metadata"].get("labels", {})
    return labels


def _holds(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, Mapping):
        if not isinstance(found, Mapping):
            return not wanted and found is None
        more = [key for key in _WHOLE if "image" in wanted and found.get(key) and not wanted.get(key)]
        return not more and all(_holds(found.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        return (
            isinstance(found, list) and len(found) == len(wanted) and all(map(_holds, found, wanted))
            if wanted
            else not found
        )
    return bool(found == wanted) or _quantity(found) == _quantity(wanted) is not None


def _quantity(value: Any) -> Decimal | None:
    """The number of Kubernetes' 100m or 1Gi, which may be written in several ways; None for what is none."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    text = str(value)
    number = text.rstrip("".join(_UNITS))
    unit = text[len(number) :]
    try:
        return Decimal(number) * _UNITS[unit]
    except (InvalidOperation, KeyError):
        return None
