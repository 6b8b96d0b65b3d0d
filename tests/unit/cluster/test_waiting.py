"""What a change of a rule waits for: the push that brings it, and that nobody rejects it; with few questions, and one
deadline.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from components.acknowledgement import route_wants
from tests.unit.cluster.test_proxies import HOST, FakeIstiod, proxy, wait
from weir.cluster.istiod import CLUSTERS, ENDPOINTS, LISTENERS, ROUTES, Mark, Proxy, Sent
from weir.cluster.proxies import LaggingError
from weir.cluster.rejections import RejectedError
from weir.cluster.want import RouteWant, Want, seen_by, told

TEXT = (
    "Proto constraint validation failed (RouteConfigurationValidationError.VirtualHosts[0]: embedded message failed "
    "validation | caused by RouteValidationError.Action: is required)"
)
SPLIT = {"v1": 80, "v2": 20}
ROUTE = Want(HOST, changed=ROUTES, routes=(RouteWant("default", (("v1", 80), ("v2", 20)), False),))
POLICY = Want(HOST, changed=CLUSTERS)


def rejecting(
    push: int, *, acknowledged: int, kind: str = ROUTES, routes: dict[str, int] | None = None
) -> dict[str, Any]:
    """A proxy that was sent this push, and has rejected what is in it of a type."""
    state = proxy(push, "v1 v2", routes or SPLIT)
    state["sent"] = {**state["sent"], kind: Sent(push, False, TEXT, acknowledged)}
    return state


def before(push: int, *rejected: tuple[str, str]) -> Mark:
    """How far istiod had come."""
    return Mark(dict.fromkeys((CLUSTERS, ROUTES, LISTENERS), push), frozenset(rejected))


def test_what_one_proxy_rejects_fails_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the others do, and long before the timeout; with Envoy's reason, the innermost."""
    istiod = FakeIstiod({"a.demo": rejecting(9, acknowledged=8), "b.demo": proxy(8, "v1 v2", {"v1": 100}, sent=8)})
    istiod.before = before(8)
    with pytest.raises(
        RejectedError, match=r"1 of 2 proxies reject the routes \(a.demo\): RouteValidationError.Action: is required"
    ) as error:
        assert wait(monkeypatch, ROUTE, istiod, timeout=30) < 1
    assert not error.value.standing


def test_what_was_rejected_before_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not stop the others, which are waited for; and it is not the change's fault."""
    stuck, late = rejecting(9, acknowledged=3), proxy(8, "v1 v2", {"v1": 100}, sent=8)
    istiod = FakeIstiod(
        *[{"a.other": stuck, "b.demo": late}] * 5, {"a.other": stuck, "b.demo": proxy(9, "v1 v2", SPLIT)}
    )
    istiod.before = before(8, ("a.other", ROUTES))
    with pytest.raises(
        RejectedError,
        match="1 of 2 proxies reject the routes since before this update, so they do not accept the update either",
    ) as error:
        wait(monkeypatch, ROUTE, istiod, timeout=30)
    assert error.value.standing


def test_who_does_not_see_the_rules_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of another namespace has the Service and, by `exportTo`, none of its versions: it never knows them, and
    loses nothing by it.
    """
    istiod = FakeIstiod({"a.demo": proxy(9, "v1 v2"), "b.other": proxy(8, "v1")})
    v2 = Want(HOST, known=frozenset({"v2"}))
    assert wait(monkeypatch, replace(v2, seen_by=seen_by("demo", {"exportTo": [".", "shop"]})), istiod) < 1
    with pytest.raises(LaggingError, match=r"1 of 2 proxies have not acknowledged backend v2: b.other"):
        wait(
            monkeypatch, replace(v2, seen_by=seen_by("demo", {"exportTo": ["."]}, {"exportTo": [".", "other"]})), istiod
        )


@pytest.mark.parametrize(
    ("exports", "seen"),
    [
        ([{}], None),
        ([None], None),
        ([{"exportTo": ["*"]}], None),
        ([{"exportTo": ["."]}], {"demo"}),
        ([{"exportTo": [".", "shop"]}, None], {"demo", "shop"}),
        ([{"exportTo": ["."]}, {"exportTo": ["*"]}], None),
        ([{"exportTo": ["."]}, {}], None),
    ],
)
def test_who_sees_a_rule(exports: list[dict[str, list[str]] | None], seen: set[str] | None) -> None:
    """Istio's reference: `.` is the rule's own namespace, `*` all, and so is none at all; of several rules, whoever
    sees one.
    """
    assert seen_by("demo", *exports) == seen


def test_what_is_rejected_later_is_another_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that has acknowledged this change has it, whatever it is sent, and rejects, after that."""
    state = rejecting(12, acknowledged=9)
    state["push"] = 9
    istiod = FakeIstiod({"a.demo": state})
    istiod.before = before(8)
    assert wait(monkeypatch, ROUTE, istiod) < 1


def test_a_rejection_of_another_type_is_no_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who rejects its own listeners follows a route all the same."""
    istiod = FakeIstiod({"a.demo": rejecting(9, acknowledged=8, kind=LISTENERS)})
    istiod.before = before(8, ("a.demo", LISTENERS))
    assert wait(monkeypatch, ROUTE, istiod) < 1


def test_a_change_that_cannot_be_seen_counts_by_its_push(monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest, once no other follows; nobody is asked for a configuration, which would be as good before as after
    it.
    """
    state = {name: proxy(9, "v1 v2") for name in ("a.demo", "b.demo")}
    istiod = FakeIstiod({name: proxy(8, "v1 v2") for name in state}, {name: proxy(8, "v1 v2") for name in state}, state)
    istiod.before = before(8)
    assert 0.25 <= wait(monkeypatch, POLICY, istiod) < 0.4
    assert istiod.asked == []


def test_a_change_that_reaches_no_proxy_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """No push comes of it: then no proxy uses it, and none is counted."""
    istiod = FakeIstiod({"a.demo": proxy(8, "v1 v2")})
    istiod.before = before(8)
    assert 2 <= wait(monkeypatch, POLICY, istiod) < 2.2
    assert istiod.asked == []


def test_a_gateway_is_a_matter_of_gateways(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sidecars have no use for it; where there is no gateway nobody is waited for."""
    assert wait(monkeypatch, Want("", changed=LISTENERS), FakeIstiod({"a.demo": proxy(8)})) == 0


def test_many_proxies_that_are_passed_over_cost_few_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of each workload answers for all of its pods: 600 pods of six Deployments, which do not have the service."""
    strangers = {f"app{number % 6}-5d9-{number:05}.other": proxy(3) for number in range(600)}
    istiod = FakeIstiod({"a.demo": proxy(9, "v1 v2", SPLIT), **strangers})
    istiod.before = before(8)
    assert wait(monkeypatch, ROUTE, istiod) < 1
    assert len(istiod.asked) == 1 + 6


def test_however_many_there_are_to_ask_about_the_deadline_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """600 workloads: a few are asked about in a look, and none in the moments in which a push may begin."""
    strangers = {f"app{number}-5d9-x.other": proxy(3) for number in range(600)}
    istiod = FakeIstiod({"a.demo": proxy(9, "v1 v2", SPLIT), **strangers})
    istiod.before = before(8)
    with pytest.raises(LaggingError, match=r"after 2 s \d+ of \d+ proxies have not"):
        wait(monkeypatch, ROUTE, istiod, timeout=2)
    assert len(istiod.asked) <= 8 * 2 / 0.05


def test_a_version_whose_rule_is_rejected_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The route that was to name it hears the reason at once."""
    istiod = FakeIstiod({"a.demo": rejecting(9, acknowledged=8, kind=CLUSTERS)})
    istiod.before = before(8)
    with pytest.raises(RejectedError, match="reject the clusters"):
        wait(monkeypatch, Want(HOST, known=frozenset({"v2"})), istiod, timeout=30)


def test_pods_that_a_proxy_rejects_are_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """A version is known by its cluster and by its pods."""
    istiod = FakeIstiod({"a.demo": rejecting(9, acknowledged=8, kind=ENDPOINTS)})
    istiod.before = before(8)
    with pytest.raises(RejectedError):
        wait(monkeypatch, Want(HOST, known=frozenset({"v2"})), istiod, timeout=30)


def test_a_version_whose_cluster_is_rejected_never_has_pods(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who rejects the cluster does not ask istiod for its endpoints: that is no reason to wait for them until the
    timeout.
    """
    state = rejecting(9, acknowledged=8, kind=CLUSTERS)
    state["pods"] = ["v1"]
    istiod = FakeIstiod({"a.demo": state})
    istiod.before = before(8)
    with pytest.raises(RejectedError, match="reject the clusters"):
        wait(monkeypatch, Want(HOST, known=frozenset({"v2"})), istiod, timeout=30)


def test_what_was_not_waited_for_to_the_end_is_asked_about_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """No push comes of it any more: the newest there is must be acknowledged by now, and one that still lags is not
    overlooked.
    """
    again = Want(HOST, changed=CLUSTERS, again=True)
    both = {"a.demo": proxy(8, "v1 v2"), "b.demo": proxy(8, "v1 v2", accepted=False)}
    istiod = FakeIstiod(both)
    istiod.before = before(8)
    with pytest.raises(LaggingError, match=r"1 of 2 proxies have not acknowledged the change of backend: b\.demo"):
        wait(monkeypatch, again, istiod, timeout=4)
    followed = FakeIstiod(*[both] * 60, {"a.demo": proxy(8, "v1 v2"), "b.demo": proxy(8, "v1 v2")})
    followed.before = before(8)
    assert wait(monkeypatch, again, followed, timeout=10) < 4
    assert istiod.asked == followed.asked == []


def test_who_has_no_use_for_it_is_not_asked_to_follow_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another workload was sent pushes of its own, and does not have the service."""
    istiod = FakeIstiod({"a.demo": proxy(8, "v1 v2"), "stranger.other": proxy(3, accepted=False)})
    istiod.before = before(8)
    assert wait(monkeypatch, Want(HOST, changed=CLUSTERS, again=True), istiod, timeout=10) < 1
    assert istiod.asked == ["stranger.other"]


SHOP, CART = "shop.example.com", "cart.demo.svc.cluster.local"


def at_the_gateway(push: int, weights: dict[str, int], host: str = SHOP) -> dict[str, Any]:
    """What istiod makes for a gateway that has the host: one virtual host, whose routes go to several services."""
    clusters = [{"name": f"outbound|80|{subset}|{CART}", "weight": weight} for subset, weight in weights.items()]
    routes = [{"name": "cart_default", "route": {"weightedClusters": {"clusters": clusters}}}]
    hosts = [{"name": f"{host}:80", "domains": [host], "routes": routes}]
    dump = {"@type": "x.ClustersConfigDump", "versionInfo": f"t/{push}"}
    return {"configs": [dump, {"dynamicRouteConfigs": [{"routeConfig": {"name": "http.80", "virtualHosts": hosts}}]}]}


def test_a_host_is_told_by_the_routes_to_its_services() -> None:
    """By the virtual host of what requests ask for, and the clusters of who gets them; a gateway without the host
    tells nothing.
    """
    spec = {
        "hosts": [SHOP],
        "gateways": ["edge/public"],
        "http": [
            {
                "name": "cart_default",
                "route": [
                    {"destination": {"host": CART, "subset": "v1"}, "weight": 80},
                    {"destination": {"host": CART, "subset": "v2"}, "weight": 20},
                ],
            }
        ],
    }
    before: dict[str, Any] = {**spec, "http": [{**spec["http"][0], "route": spec["http"][0]["route"][:1]}]}  # type: ignore[index]
    want = Want("", changed=ROUTES, routes=route_wants(before, spec))
    assert told(at_the_gateway(9, {"v1": 80, "v2": 20}), want) is True
    assert told(at_the_gateway(9, {"v1": 1}), want) is False
    assert told(at_the_gateway(9, {"v1": 80, "v2": 20}, host="other.example.com"), want) is None
    every = {**spec, "hosts": ["*"]}
    want = Want("", changed=ROUTES, routes=route_wants({**before, "hosts": ["*"]}, every))
    assert told(at_the_gateway(9, {"v1": 80, "v2": 20}, host="*"), want) is True


class FakeGateways(FakeIstiod):
    """An istiod with a gateway that has the host, and sidecars that do not."""

    def configuration(self, proxy: str, seconds: float = 10) -> dict[str, Any]:
        """What it makes for the gateway."""
        self.asked.append(proxy)
        return at_the_gateway(self.there[proxy]["push"], self.there[proxy]["routes"])


def test_gateways_alone_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sidecar that is behind does not use the host; a gateway that has not taken the split is named."""
    want = Want("", changed=ROUTES, routes=(RouteWant("cart_default", (("v1", 80), ("v2", 20)), False, SHOP, CART),))
    sidecar, old = proxy(8, "v1", {"v1": 1}, sent=8), proxy(9, "v1 v2", {"v1": 1})
    new = proxy(9, "v1 v2", SPLIT)
    for state in (old, new):
        state["gateway"] = True

    def there(gateway: dict[str, Any]) -> FakeGateways:
        istiod = FakeGateways({"a.demo": sidecar, "edge.edge": gateway})
        istiod.before = before(8)
        monkeypatch.setattr(
            istiod,
            "proxies",
            lambda _: [
                Proxy(name, dict(state["sent"]), gateway="gateway" in state) for name, state in istiod.there.items()
            ],
        )
        return istiod

    assert wait(monkeypatch, want, there(new)) < 1
    with pytest.raises(LaggingError, match=r"1 of 1 proxies have not acknowledged the change: edge.edge"):
        wait(monkeypatch, want, there(old))
