"""Which pods are asked, and what belongs to a look."""

from __future__ import annotations

from typing import Any, cast

import pytest

from weir.cluster.errors import ClusterError
from weir.measurement.clusters import Measured
from weir.measurement.watched import MAX_CALLERS, Watched

HOST = "{}.demo.svc.cluster.local"
SERVICES = {name: Measured(HOST.format(name), 80) for name in ("backend", "cart")}


class Pod:
    """A pod whose Envoy has counted so many requests of both versions of the services, as GET /stats prints them."""

    def __init__(self, pod: str, counts: bool = True, **requests: int) -> None:
        self.pod, self.requests, self.counts = pod, requests, counts
        self.asked, self.down = 0, False

    def envoy(self, path: str) -> str:
        if self.down:
            raise ClusterError("did not end within 20 s")
        if path == "clusters":
            return "".join(
                f"outbound|80|{version}|{HOST.format(name)}::198.18.0.1:80::rq_total::{self.requests.get(name, 0)}\n"
                for name in SERVICES
                for version in ("v1", "v2")
            )
        self.asked += 1
        return "".join(
            f"cluster.outbound|80|{version}|{HOST.format(name)};.upstream_rq_completed: {count}\n"
            for name, count in self.requests.items()
            for version in ("v1", "v2")
            if self.counts
        )

    def calls(self, **more: int) -> None:
        for name, count in more.items():
            self.requests[name] = self.requests.get(name, 0) + count


def watching(*pods: Pod, **services: Measured) -> Watched:
    return Watched(lambda: cast(Any, pods), services or SERVICES)


def test_callers_are_those_that_count_the_service() -> None:
    """Whatever their names: pods of the service itself come first in the alphabet, and call nobody."""
    frontend = Pod("frontend-1", backend=100)
    watched = watching(*(Pod(f"backend-v1-{number:02}") for number in range(40)), frontend)
    watched.look()
    for _ in range(5):
        frontend.calls(backend=7)
        assert watched.look()["backend"]["v2"].requests == 7
    assert [each.pod for each in watched.callers] == ["frontend-1"]


def test_a_look_asks_few_and_finds_who_begins_to_call() -> None:
    """Others have their turn, each within a few looks."""
    pods = [Pod("pod-00", backend=9), *(Pod(f"pod-{number:02}") for number in range(1, 60))]
    watched = watching(*pods)
    watched.look()
    watched.look()
    assert sum(each.asked for each in pods) == 60 + MAX_CALLERS
    for _ in range(3):
        watched.look()
    assert min(each.asked for each in pods) == 2
    pods[59].calls(backend=3)
    for _ in range(3):
        watched.look()
    assert {each.pod for each in watched.callers} == {"pod-00", "pod-59"}


def test_each_service_has_callers_in_the_sample() -> None:
    """Though those of another one have counted more."""
    carts = [Pod(f"a-{number:02}", cart=10_000 + number) for number in range(30)]
    watched = watching(*carts, Pod("z", backend=5))
    watched.look()
    asked = [each.pod for each in watched.callers[:MAX_CALLERS]]
    assert "z" in asked
    assert "a-29" in asked
    assert "a-00" not in asked


def test_what_was_counted_at_another_split_is_in_no_look() -> None:
    """Also of a caller that did not answer when the split had changed."""
    a, b = Pod("a", backend=1000), Pod("b", backend=1000)
    watched = watching(a, b, backend=SERVICES["backend"])
    watched.look()
    a.calls(backend=950)
    b.calls(backend=950)
    b.down = True
    watched.anew()
    b.down = False
    a.calls(backend=5)
    b.calls(backend=5)
    assert watched.look()["backend"]["v1"].requests == 5
    b.calls(backend=4)
    assert watched.look()["backend"]["v1"].requests == 4


def test_nobody_answers_when_the_split_has_changed() -> None:
    """The next look is the first."""
    a = Pod("a", backend=1000)
    watched = watching(a, backend=SERVICES["backend"])
    watched.look()
    a.down = True
    with pytest.raises(ClusterError):
        watched.anew()
    a.down = False
    a.calls(backend=950)
    assert watched.look() == {}


def test_only_who_calls_can_tell_attempts() -> None:
    """A pod that has sent no request has no statistics of it either."""
    frontend = Pod("frontend", backend=0)
    watched = watching(frontend, Pod("other"))
    watched.look()
    assert watched.attempts == frozenset()
    frontend.counts = False
    frontend.calls(backend=3)
    watched.look()
    assert watched.attempts == {"backend"}
