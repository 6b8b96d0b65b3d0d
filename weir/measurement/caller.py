"""A caller: a client pod inside the mesh, found by its label and reached by `kubectl exec`.

Routes, splits and faults act in the caller's proxy and nowhere else. Requests are therefore sent from a pod that has
one, and a pod without a sidecar is refused: it would bypass every rule and prove nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from weir.cluster.kubectl import Kubectl, Result
from weir.measurement.errors import MeasurementError

SIDECAR = "istio-proxy"
"""Name of the container that Istio's webhook injects."""

_DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"


@dataclass(frozen=True, slots=True)
class Caller:
    """A ready client pod with a sidecar: `container` is where its own program lives, `name` the value of its label
    app, `labels` has all of them.
    """

    kubectl: Kubectl
    name: str
    pod: str
    container: str
    labels: Mapping[str, str] = field(default_factory=dict, compare=False)

    @classmethod
    def find(cls, kubectl: Kubectl, name: str) -> Caller:
        """A ready pod with the label app=NAME in kubectl's namespace.

        Ready means: phase Running, not being deleted, every container ready. Of several, the first by name, so that
        two runs use the same. Raises MeasurementError when there is none, with what the pods that exist wait for; when
        none has a sidecar; and when the cluster cannot be asked.
        """
        pods: list[dict[str, Any]] = kubectl.get(["pods", "-l", f"app={name}"]).get("items", [])
        where = f"namespace {kubectl.namespace}"
        if not pods:
            raise MeasurementError(
                f"no pod with the label app={name} in {where}; name a client of the stack with --client, or run the "
                "update first: pulumi up"
            )
        ready = sorted((pod for pod in pods if _obstacle(pod) is None), key=_name)
        if not ready:
            states = "; ".join(f"{_name(pod)}: {_obstacle(pod)}" for pod in sorted(pods, key=_name))
            raise MeasurementError(
                f"no pod with the label app={name} in {where} is ready ({states}); "
                f"see kubectl -n {kubectl.namespace} describe pods -l app={name}"
            )
        for pod in ready:
            if _has_sidecar(pod):
                container = _app_container(pod)
                if container is None:
                    raise MeasurementError(
                        f"pod {_name(pod)} has no container of its own beside {SIDECAR}; name another client with "
                        "--client"
                    )
                return cls(kubectl, name, _name(pod), container, _labels(pod))
        raise MeasurementError(
            f"pod {_name(ready[0])} in {where} has no {SIDECAR} container: without a sidecar its requests bypass every "
            "route, split and fault. Label the namespace istio-injection=enabled and restart the pod: kubectl -n "
            f"{kubectl.namespace} delete pod {_name(ready[0])}"
        )

    @classmethod
    def all(cls, kubectl: Kubectl) -> list[Caller]:
        """Every ready pod of kubectl's namespace that has Istio's proxy, by name, whatever it is: each may be a caller.
        A gateway is one; it is nothing but the proxy. Raises ClusterError.
        """
        pods: list[dict[str, Any]] = kubectl.get(["pods"]).get("items", [])
        ready = sorted((pod for pod in pods if _obstacle(pod) is None and _has_sidecar(pod)), key=_name)
        return [
            cls(kubectl, _labels(pod).get("app", ""), _name(pod), _app_container(pod) or SIDECAR, _labels(pod))
            for pod in ready
        ]

    def run(self, command: Sequence[str], *, timeout: float) -> Result:
        """Run a command, no shell, in the pod's own container; `timeout` in seconds. Raises MeasurementError when it
        cannot be started.
        """
        return self._exec(self.container, command, timeout)

    def envoy(self, path: str, *, timeout: float = 20.0) -> str:
        """The answer of the admin interface of the pod's Envoy to GET `path`, such as `clusters`, through Istio's
        pilot-agent.

        pilot-agent reaches the interface, which listens on localhost only, without curl or a shell in the proxy's
        image. Raises MeasurementError when the sidecar gives no answer.
        """
        result = self._exec(SIDECAR, ["pilot-agent", "request", "GET", path], timeout)
        if result.status != 0:
            why = result.complaint or f"exit status {result.status}"
            raise MeasurementError(f"the sidecar of pod {self.pod} does not answer GET {path}: {why}")
        return result.stdout

    def _exec(self, container: str, command: Sequence[str], timeout: float) -> Result:
        result = self.kubectl.call(["exec", self.pod, "-c", container, "--", *command], timeout=timeout)
        said = result.stderr.lower()
        if result.status != 0 and "notfound" in said.replace(" ", "") and "pods" in said:
            raise MeasurementError(
                f"pod {self.pod} is gone; it was ready a moment ago, so run again once the update has ended"
            )
        if result.status != 0 and (
            "executable file not found" in said or ("exec" in said and "no such file or directory" in said)
        ):
            remedy = (
                "name another client with --client" if container == self.container else "it is not Istio's proxy image"
            )
            raise MeasurementError(f"container {container} of pod {self.pod} has no {command[0]}; {remedy}")
        return result


def _name(pod: dict[str, Any]) -> str:
    return str(pod["metadata"]["name"])


def _labels(pod: dict[str, Any]) -> dict[str, str]:
    return dict(pod["metadata"].get("labels", {}))


def _containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return list(pod.get("spec", {}).get("containers", []))


def _obstacle(pod: dict[str, Any]) -> str | None:
    """Why the pod cannot be used, in the words of its status; None when it is ready."""
    if pod["metadata"].get("deletionTimestamp"):
        return "is being deleted"
    status = pod.get("status", {})
    states = {state["name"]: state for state in status.get("containerStatuses", [])}
    waiting = []
    for container in _containers(pod):
        state = states.get(container["name"], {})
        if not state.get("ready", False):
            reason = state.get("state", {}).get("waiting", {}).get("reason") or "not ready"
            waiting.append(f"{container['name']} {reason}")
    if waiting:
        return ", ".join(waiting)
    phase = status.get("phase", "unknown")
    return None if phase == "Running" else f"phase {phase}"


def _has_sidecar(pod: dict[str, Any]) -> bool:
    if any(container["name"] == SIDECAR for container in _containers(pod)):
        return True
    # A native sidecar (Kubernetes 1.29, Istio's default since 1.27) is an init container that is never done.
    starters = pod.get("spec", {}).get("initContainers", [])
    return any(container["name"] == SIDECAR and container.get("restartPolicy") == "Always" for container in starters)


def _app_container(pod: dict[str, Any]) -> str | None:
    """The container that is not the sidecar: the one the pod names as its default, else the first; None where there is
    none.
    """
    own = [str(container["name"]) for container in _containers(pod) if container["name"] != SIDECAR]
    named = pod["metadata"].get("annotations", {}).get(_DEFAULT_CONTAINER)
    return named if named in own else next(iter(own), None)
