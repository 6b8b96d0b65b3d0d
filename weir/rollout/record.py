"""Where a rollout's state is kept: a ConfigMap of the service in the stack's namespace, so that any machine goes on
where another one ended. Whoever writes says which version of it was read, and the API server refuses the second of two.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from weir.analysis import Comparison
from weir.cluster.errors import ClusterError
from weir.cluster.kubectl import BURST, Kubectl
from weir.cluster.rollouts import records
from weir.errors import WeirError
from weir.model.config.rollout import RECORD_LABEL, record_name
from weir.rollout.state import State, as_json, from_json

_SECONDS = 10.0
_TRIES = 5
_KEY = "state"


class AnotherWroteError(WeirError):
    """Another process has written the state since it was read."""


class UnreadableError(WeirError):
    """There is a state that this weir cannot read; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A state as it is in the cluster, and Kubernetes' version of the object."""

    state: State
    resource_version: str


def read(kubectl: Kubectl, service: str) -> Kept | None:
    """The last rollout of the service, be it over or not; None where there was none. Raises ClusterError,
    UnreadableError.
    """
    found = kubectl.get(["configmap", record_name(service), "--ignore-not-found"], missing={})
    return kept(found, kubectl.namespace) if found else None


def read_all(kubectl: Kubectl, services: Collection[str], *, readable: bool = False) -> dict[str, Kept]:
    """The last rollout of each of these services that had one. `readable`: those that cannot be read are left out.
    Raises ClusterError, UnreadableError.
    """
    found: dict[str, Kept] = {}
    for each in records(kubectl, services):
        with suppress(*[UnreadableError] * readable):
            one = kept(each, kubectl.namespace)
            found[one.state.service] = one
    return found


def kept(found: Mapping[str, Any], namespace: str) -> Kept:
    """What a ConfigMap has. Raises UnreadableError."""
    metadata = found["metadata"]
    try:
        return Kept(from_json(json.loads(found["data"][_KEY])), metadata["resourceVersion"])
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableError(
            f"ConfigMap {namespace}/{metadata['name']} is no state of a rollout that this weir can read ({error!r}). "
            f"Use the weir that wrote it, or end the rollout by hand: kubectl delete configmap -n {namespace} "
            f"{metadata['name']}, and weir abort"
        ) from None


def together(kubectl: Kubectl, service: str) -> dict[str, Kept]:
    """The last rollout of the service with all services that go through the steps as one, by service, the one that is
    asked for first; of those, the ones of which there is a state of that rollout. Raises ClusterError, UnreadableError.
    """
    found = read(kubectl, service)
    if found is None:
        return {}
    others = read_all(kubectl, [name for name in found.state.together if name != service])
    return of_one({**others, service: found}, service)


def of_one(there: Mapping[str, Kept], service: str) -> dict[str, Kept]:
    """Of what was read, the rollout of the service with those that go through the steps as one with it, as `together`
    has it.
    """
    if service not in there:
        return {}
    # One that has ended may have begun another rollout since.
    services, whole = there[service].state.services, there[service].state.together
    return {
        name: there[name]
        for name in (service, *services)
        if name == service or (name in there and there[name].state.together == whole)
    }


def comparison(state: State, evidence: Mapping[str, Any]) -> Comparison:
    """The comparison that goes on with this evidence of the state. Raises UnreadableError."""
    try:
        return Comparison.from_state(evidence)
    except ValueError as error:
        raise UnreadableError(
            f"the rollout of {state.service} was begun by another weir, with evidence that this one cannot go on with "
            f"({error}). Use that one, or end the rollout: weir abort {state.service}"
        ) from None


def write(kubectl: Kubectl, states: Sequence[State], before: Mapping[str, Kept]) -> dict[str, Kept]:
    """Keep the states, each in place of what was read of its service. Returns them as they are in the cluster now, by
    service. Raises AnotherWroteError where one was written meanwhile, after the others are kept; ClusterError.
    """
    kept: dict[str, Kept] = {}
    for verb, some in (
        ("replace", [each for each in states if each.service in before]),
        ("create", [each for each in states if each.service not in before]),
    ):
        if not some:
            continue
        # One call for several: a process for each would take longer than from one look to the next.
        parts = [some[at : at + BURST] for at in range(0, len(some), BURST)]
        with ThreadPoolExecutor(len(parts)) as pool:
            written = [pool.submit(_written, kubectl, verb, part, before) for part in parts]
        # That another one wrote is what to hear of first, whatever else failed.
        for each in sorted(written, key=lambda one: isinstance(one.exception(), ClusterError)):
            kept |= each.result()
    return kept


def abort(kubectl: Kubectl, services: Collection[str], why: str) -> dict[str, Kept]:
    """End the rollouts of these services that are under way, whoever goes on with them: they hear of it before they
    move traffic again. Returns those that are ended, by service. Raises AnotherWroteError, ClusterError.
    """
    for left in reversed(range(_TRIES)):
        # Whoever goes on with one writes down what it sees, now and then.
        there = {
            service: each for service, each in read_all(kubectl, services, readable=True).items() if not each.state.over
        }
        # Nobody's: whoever goes on with one finds that it is another's write.
        over = [replace(each.state, phase="aborted", released=False, why=why, owner="") for each in there.values()]
        try:
            return write(kubectl, over, there)
        except AnotherWroteError:
            if not left:
                raise
    return {}


def _written(kubectl: Kubectl, verb: str, states: Sequence[State], before: Mapping[str, Kept]) -> dict[str, Kept]:
    manifests = [_manifest(each, before.get(each.service)) for each in states]
    whole = manifests[0] if len(manifests) == 1 else {"apiVersion": "v1", "kind": "List", "items": manifests}
    result = kubectl.call([verb, "-f", "-", "-o", "json"], timeout=_SECONDS, stdin=json.dumps(whole))
    if result.status == 0:
        versions = {each["metadata"]["name"]: each["metadata"]["resourceVersion"] for each in _documents(result.stdout)}
        return {each.service: Kept(each, versions[record_name(each.service)]) for each in states}
    services = " and ".join(each.service for each in states)
    # Of one that was created, changed or deleted meanwhile (409, 404).
    if any(word in result.stderr for word in ("AlreadyExists", "Conflict", "has been modified", "NotFound")):
        raise AnotherWroteError(
            f"another process goes on with the rollout of {services}; weir status {states[0].service} shows it"
        )
    raise ClusterError(f"the state of the rollout of {services} could not be kept: {result.complaint}")


def _documents(text: str) -> Iterator[dict[str, Any]]:
    """The objects that kubectl has printed, one after the other."""
    decoder, at = json.JSONDecoder(), 0
    while at < len(text.rstrip()):
        found, at = decoder.raw_decode(text, at)
        yield found
        at += len(text[at:]) - len(text[at:].lstrip())


def _manifest(state: State, before: Kept | None) -> dict[str, Any]:
    manifest: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": record_name(state.service),
            "labels": {RECORD_LABEL: state.service, "app.kubernetes.io/managed-by": "weir"},
        },
        "data": {_KEY: json.dumps(as_json(state), indent=1)},
    }
    if before is not None:
        manifest["metadata"]["resourceVersion"] = before.resource_version
    return manifest
