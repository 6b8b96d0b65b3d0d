"""The stack of the routing tests: its pods stand for the whole session, and each test plays its own traffic settings
on them.

`apply_settings` replaces the settings of the service `backend` and returns when the caller's Envoy follows. How that is known
without a wait of fixed length: once the update has ended, an object of the tests' own, the marker, is written. istiod
tells a proxy all it knows at a time, so a proxy that answers with the new marker has been told of everything written
before it.

The stack is deployed by the account of `weir rbac`: whatever these tests show works with no more rights than that.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any
from urllib.parse import urlencode

from lab.tools.catalog import FORTIO_VERSION
from tests.live.harness import Project, Shell, shell_environment, until
from tests.live.routing.sent_requests import Answer, Arrival, Request, answers, arrivals, curl_config
from weir.measurement.binomial import Region, acceptance, power

ERROR_RATE = 1e-6
NAMESPACE = "stage"
HOST = f"backend.{NAMESPACE}.svc.cluster.local"
FRONTEND = f"-n {NAMESPACE} deploy/frontend"
OUTSIDER = f"-n {NAMESPACE} pod/outsider"
"""A pod without a sidecar, and so outside the mesh."""

FORTIO = f"fortio/fortio:{FORTIO_VERSION}"
CURL = "curlimages/curl:latest"
_MARKER = "marker.stage.test"


def fortio_args(version: str) -> list[str]:
    """A server on port 8080 that says its version and, being verbose, logs every request."""
    unused = [f"-{name}-port=disabled" for name in ("redirect", "tcp", "udp", "grpc")]
    settings = [
        "-http-port=8080",
        "-loglevel=verbose",
        "-max-echo-delay=10s",
        f"-echo-server-default-params=header=version:{version}",
    ]
    return ["server", *settings, *unused]


def accepted(count: int, share: float, unlike: float) -> Region:
    """The counts to expect of `count` requests: refused by chance once in a million, and almost surely where the share
    is `unlike`.
    """
    region = acceptance(count, Fraction(str(share)), ERROR_RATE)
    assert power(count, region, Fraction(str(unlike))) > 0.999, f"{count} requests do not tell {share} from {unlike}"
    return region


@dataclass
class RoutingStack(Shell):
    """The stack, the shell to work on it, and the pods to send requests from."""

    applied_at: str = ""
    """When the settings were last applied: the backend's log is read from there."""
    kubeconfigs: dict[str, str] = field(default_factory=dict)
    """By stack, where it is not the administrator's."""

    @classmethod
    def create(cls, project: Project) -> RoutingStack:
        """A stage on the project's lab."""
        return cls(project, shell_environment(project))

    def use_account(self, stack: str) -> None:
        """From here on the stack is deployed by the account of `weir rbac`, which an administrator makes, and not by
        the administrator.
        """
        file = self.project.directory / f"Pulumi.{stack}.yaml"
        file.write_text(f"config:\n  weir:namespace: {NAMESPACE}\n")
        self.run(f"weir rbac --stack {stack} | kubectl apply -f -")
        token = self.run(f"kubectl create token weir-{NAMESPACE} -n istio-system --duration=6h").strip()
        content = json.loads((self.project.directory / ".weir/lab/kubeconfig").read_text())
        content["users"][0]["user"] = {"token": token}
        path = self.project.directory / ".weir/lab" / f"kubeconfig-account-{stack}"
        path.touch(mode=0o600)
        path.write_text(json.dumps(content))
        self.kubeconfigs[stack] = str(path.relative_to(self.project.directory))

    def up(self, stack: str, config: Mapping[str, Any]) -> None:
        """Write the whole config of a stack, then a plain `pulumi up`."""
        own = {"kubeconfig": self.kubeconfigs[stack]} if stack in self.kubeconfigs else {}
        self.write_stack(stack, {**own, **config})
        self.run(f"pulumi up --yes --skip-preview --stack {stack}")

    def apply_settings(
        self, *, top: Mapping[str, Any] | None = None, versions: Mapping[str, Any] | None = None, **traffic: Any
    ) -> None:
        """Give the service these settings and no others, and return when the caller follows.

        `versions` adds to what each version has, `top` to the keys beside the services. No pod is started or ended by
        it.
        """
        self.applied_at = datetime.now(UTC).isoformat(timespec="seconds")
        own = versions or {}
        all_versions = {
            name: {"args": fortio_args(name), "replicas": replicas, **own.get(name, {})}
            for name, replicas in (("v1", 3), ("v2", 1), ("v3", 1))
        }
        backend = {"image": FORTIO, "port": 80, "targetPort": 8080, "versions": all_versions, "stable": "v1", **traffic}
        self.up(
            "stage",
            {
                "namespace": NAMESPACE,
                "services": {"backend": backend},
                "clients": {"frontend": {"image": CURL}},
                **(top or {}),
            },
        )
        self.settle()

    def settle(self) -> None:
        """Return when the caller's Envoy has been told of everything that the API server holds now."""
        text = f"{time.time_ns()}"
        rule = {"hosts": [_MARKER], "http": [{"directResponse": {"status": 200, "body": {"string": text}}}]}
        metadata = {"name": "marker", "namespace": NAMESPACE}
        self.apply(
            {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": metadata, "spec": rule}
        )
        ask = f'curl -s --max-time 5 -H "Host: {_MARKER}" http://backend'
        loop = f'for i in $(seq 200); do [ "$({ask})" = {text} ] && exit; sleep 0.05; done; exit 1'
        self.run(f"kubectl exec {FRONTEND} -- sh -c '{loop}'")

    def ask(self, *requests: Request, caller: str = FRONTEND, parallel: int = 0) -> list[Answer]:
        """The answers to all requests, sent by one curl: one after the other, or `parallel` at a time and then without
        bodies.
        """
        options = f" --parallel --parallel-immediate --parallel-max {parallel}" if parallel else ""
        command = f"kubectl exec -i {caller} -- curl -s{options} -K -"
        # What curl says of a failed request it says with its status 0, too.
        found = answers(self.run(command, stdin=curl_config(requests, bodies=not parallel), check=False))
        assert len(found) == sum(request.count for request in requests), found[-3:]
        return sorted(found, key=lambda answer: answer.request)

    def arrivals(self, path: str, at_least: int) -> list[Arrival]:
        """The requests to `path` since the settings were last applied, from the logs of the backend's pods, once there are so many and
        no more come.
        """
        command = (
            f"kubectl logs -n {NAMESPACE} -l app=backend -c backend --prefix --tail=-1 --since-time={self.applied_at}"
        )
        seen: list[list[Arrival]] = [[], []]

        def quiet() -> bool:
            seen[:] = [seen[1], arrivals(self.run(command), path)]
            return len(seen[0]) == len(seen[1]) >= at_least

        until(quiet, 20, f"{at_least} requests to {path} at the backend")
        return seen[1]

    def envoy(self, path: str, pod: str = FRONTEND) -> str:
        """The answer of a proxy's admin interface."""
        return self.run(f"kubectl exec {pod} -c istio-proxy -- pilot-agent request GET '{path}'")

    def cluster(self, subset: str) -> dict[str, Any]:
        """The caller's Envoy cluster of a version, as configured."""
        name = f"outbound|80|{subset}|{HOST}"
        dump = json.loads(self.envoy("config_dump?resource=dynamic_active_clusters"))
        [found] = [entry["cluster"] for entry in dump["configs"] if entry["cluster"]["name"] == name]
        return dict(found)

    @contextmanager
    def answering(self, pod: str, query: str) -> Iterator[None]:
        """Have one pod of the backend answer every request that has no query as if it had this one."""
        try:
            self._set(pod, query)
            yield
        finally:
            self._set(pod, f"header=version:{pod.split('-')[1]}")

    def _set(self, pod: str, query: str) -> None:
        setting = urlencode({"name": "echo-server-default-params", "value": query})
        # From the pod to itself, which passes no sidecar.
        self.run(
            f"kubectl exec -n {NAMESPACE} {pod} -c backend -- fortio curl "
            f"'http://localhost:8080/fortio/flags/set?{setting}'"
        )

    def pods(self, version: str) -> list[str]:
        """The names of a version's pods."""
        return (
            self.run(f"kubectl get pods -n {NAMESPACE} -l app=backend,version={version} -o name")
            .replace("pod/", "")
            .split()
        )
