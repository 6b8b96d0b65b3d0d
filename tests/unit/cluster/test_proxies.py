"""When proxies count as having followed: what istiod makes for them, and what they have accepted of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from weir.cluster import proxies
from weir.cluster.errors import ClusterError, UnaskedError
from weir.cluster.istiod import CLUSTERS, ENDPOINTS, ROUTES, Mark, Proxy, Sent
from weir.cluster.kubectl import Kubectl
from weir.cluster.proxies import LaggingError, wait_for
from weir.cluster.want import RouteWant, Want

HOST = "backend.demo.svc.cluster.local"
KUBECTL = Kubectl("/bin/true", "istio-system")


class FakeIstiod:
    """An istiod whose answers change from look to look; the last ones stay. `pod` is its name."""

    def __init__(self, *looks: dict[str, Any], pod: str = "istiod-1", ready_for: float = 3600) -> None:
        self.pod, self.ready_for, self.ready_since = pod, ready_for, 0.0
        self.before: Mark | None = None
        self.looks = list(looks)
        self.asked: list[str] = []
        self.pushed_anew = 0

    @property
    def there(self) -> dict[str, Any]:
        return self.looks[0]

    def now(self, seconds: float) -> float:
        return self.ready_for

    def proxies(self, seconds: float) -> list[Proxy]:
        if len(self.looks) > 1:
            self.looks.pop(0)
        return [Proxy(name, dict(state["sent"])) for name, state in self.there.items()]

    def push_anew(self, seconds: float) -> None:
        """As if all that comes next were of this push."""
        self.pushed_anew += 1

    def configuration(self, proxy: str, seconds: float = 10) -> dict[str, Any]:
        self.asked.append(proxy)
        state = self.there[proxy]
        names = [{"cluster": {"name": f"outbound|80|{subset}|{HOST}"}} for subset in state["clusters"]]
        clusters = [{"cluster": {"name": "outbound|80||other.demo.svc.cluster.local"}}, *names]
        weights = [
            {"name": f"outbound|80|{subset}|{HOST}", "weight": weight} for subset, weight in state["routes"].items()
        ]
        route = {"name": "default", "route": {"weightedClusters": {"clusters": weights}}}
        hosts = [{"name": f"{HOST}:80", "domains": [HOST], "routes": [route]}]
        return {
            "configs": [
                {
                    "@type": "type.googleapis.com/envoy.admin.v3.ClustersConfigDump",
                    "versionInfo": f"t/{state['push']}",
                    "dynamicActiveClusters": clusters,
                },
                {
                    "@type": "type.googleapis.com/envoy.admin.v3.RoutesConfigDump",
                    "dynamicRouteConfigs": [{"routeConfig": {"virtualHosts": hosts}}],
                },
            ]
        }

    def endpoints(self, proxy: str, seconds: float = 10) -> list[dict[str, Any]]:
        pods = [{"lbEndpoints": [{"healthStatus": "HEALTHY"}]}]
        return [
            {"clusterName": f"outbound|80|{subset}|{HOST}", "endpoints": pods} for subset in self.there[proxy]["pods"]
        ]


def proxy(
    push: int,
    clusters: str = "",
    routes: dict[str, int] | None = None,
    pods: str | None = None,
    sent: int | None = None,
    accepted: bool = True,
) -> dict[str, Any]:
    """A proxy for which istiod makes these clusters (`v1 v2`) and routes as of `push`, and
    which was sent push `sent`.
    """
    subsets = clusters.split()
    number = push if sent is None else sent
    return {
        "push": push,
        "clusters": ["", *subsets] if clusters else [],
        "routes": routes or {},
        "pods": subsets if pods is None else pods.split(),
        "sent": dict.fromkeys(
            (CLUSTERS, ENDPOINTS, ROUTES), Sent(number, accepted, "", number if accepted else number - 1)
        ),
    }


def for_ever(now: float = 0) -> float:
    """For how long the service has been there."""
    return math.inf


def wait(
    monkeypatch: pytest.MonkeyPatch,
    want: Want,
    *there: FakeIstiod,
    timeout: float = 5.0,
    age: Callable[[float], float] = for_ever,
    tell: Callable[[str], None] = lambda _: None,
) -> float:
    """Wait on a clock of its own; returns the seconds that passed on it."""
    time = [0.0]

    def opened(_: Kubectl, seconds: float) -> list[FakeIstiod]:
        return list(there)

    def pause(seconds: float) -> None:
        time[0] += seconds
        for istiod in there:
            istiod.ready_for += seconds

    monkeypatch.setattr(proxies, "istiods", opened)
    since = {istiod.pod: istiod.before for istiod in there if istiod.before}
    wait_for(KUBECTL, want, timeout, age=age, since=since, tell=tell, clock=lambda: time[0], pause=pause)
    return time[0]


V2 = Want(HOST, known=frozenset({"v2"}))


def divided(*shares: tuple[str, int]) -> Want:
    """That the route divides requests so."""
    return Want(HOST, changed=ROUTES, routes=(RouteWant("default", shares),))


def test_a_push_that_has_come_since_is_asked_about_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever connected before the change knows that a push has come since: one look is enough, and one more for the
    pods of a version.
    """
    routes = {"v1": 80, "v2": 20}
    istiod = FakeIstiod({"a": proxy(9, "v1 v2", routes), "b": proxy(9, "v1 v2", routes)})
    istiod.before = Mark({CLUSTERS: 8, ROUTES: 8})
    assert wait(monkeypatch, divided(*routes.items()), istiod) == 0
    assert wait(monkeypatch, V2, istiod) == pytest.approx(0.005)


def test_istiod_is_not_asked_while_a_push_may_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only its sync status is read, until nothing has come for so long that nothing is about to; then once, and ever
    more rarely.
    """
    istiod = FakeIstiod({"a": proxy(9, "v1 v2"), "b": proxy(9, "v1 v2")})
    assert 0.25 <= wait(monkeypatch, V2, istiod) < 0.35
    assert istiod.asked == ["a"]
    istiod = FakeIstiod({"a": proxy(9, "v1")})
    with pytest.raises(LaggingError):
        wait(monkeypatch, V2, istiod)
    assert len(istiod.asked) == 4  # after 0.25, 0.75, 1.75 and 3.75 s


def test_one_that_was_sent_the_push_is_asked_about(monkeypatch: pytest.MonkeyPatch) -> None:
    """What istiod makes for one that has yet to be sent it would be of before."""
    half = {"a": proxy(8, "v1"), "b": proxy(9, "v1 v2")}
    istiod = FakeIstiod(half, half, {"a": proxy(9, "v1 v2"), "b": proxy(9, "v1 v2")})
    istiod.before = Mark({CLUSTERS: 8})
    wait(monkeypatch, V2, istiod)
    assert istiod.asked == ["b"]


def test_an_istiod_that_keeps_what_was_before_is_told_to_make_it_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once, after 5 s: somebody else may have asked for a configuration while the push began. Not where only pods are
    missing.
    """
    istiod = FakeIstiod({"a": proxy(9, "v1")})
    with pytest.raises(LaggingError):
        wait(monkeypatch, V2, istiod, timeout=30)
    assert istiod.pushed_anew == 1
    istiod = FakeIstiod({"a": proxy(9, "v1 v2", pods="v1")})
    with pytest.raises(LaggingError):
        wait(monkeypatch, V2, istiod, timeout=30)
    assert istiod.pushed_anew == 0


def test_one_proxy_tells_which_push_all_must_accept(monkeypatch: pytest.MonkeyPatch) -> None:
    """The configuration is made for one proxy, not for a thousand; the others are judged by the number they have
    accepted.
    """
    istiod = FakeIstiod({f"p{number}": proxy(9, "v1 v2") for number in range(1000)})
    wait(monkeypatch, V2, istiod)
    assert istiod.asked == ["p0"]


def test_a_push_that_is_on_its_way_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither what istiod only makes, nor what a proxy was only sent, counts."""
    unknown = {"a": proxy(8, "v1")}
    made = {"a": proxy(9, "v1 v2", sent=8)}
    sent = {"a": proxy(9, "v1 v2", accepted=False)}
    done = {"a": proxy(9, "v1 v2")}
    istiod = FakeIstiod(unknown, unknown, made, sent, done)
    # The first look takes one, each pause brings the next: 0.01, 0.01, and 0.005 once the push is found.
    assert wait(monkeypatch, V2, istiod) == pytest.approx(0.025)
    assert istiod.asked == ["a"]


def test_a_version_without_a_ready_pod_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster without endpoints answers 503."""
    with pytest.raises(LaggingError, match="1 of 1 proxies have not acknowledged backend v2: a"):
        wait(monkeypatch, V2, FakeIstiod({"a": proxy(9, "v1 v2", pods="v1")}))


def test_a_wait_that_takes_long_is_spoken_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """After two seconds, and again only when fewer are left; of a short one nothing is said."""
    told: list[str] = []
    knows, lags = proxy(9, "v1 v2"), proxy(8, "v1", sent=8)
    two, one = {"a": knows, "b": lags, "c": lags}, {"a": knows, "b": knows, "c": lags}
    with pytest.raises(LaggingError):
        wait(monkeypatch, V2, FakeIstiod(*[two] * 60, one), tell=told.append)
    assert told == [
        "2 of 3 proxies have not acknowledged backend v2 yet: b, c",
        "1 of 3 proxies have not acknowledged backend v2 yet: c",
    ]
    told.clear()
    wait(monkeypatch, V2, FakeIstiod({"a": knows}), tell=told.append)
    assert told == []
    wait(monkeypatch, Want(HOST, gone=frozenset({"v2"})), FakeIstiod({}, ready_for=5), tell=told.append)
    assert told == ["istiod became ready a moment ago: waiting 30 s for every proxy to reconnect to it"]


def test_a_route_is_let_go_of_by_every_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that lags is named, and how many there are."""
    gone = Want(HOST, gone=frozenset({"v2"}))
    free, bound = proxy(9, "v1 v2", {"v1": 100}), proxy(8, "v1 v2", {"v1": 80, "v2": 20})
    assert wait(monkeypatch, gone, FakeIstiod({"a": free, "b": free})) < 0.35
    with pytest.raises(LaggingError, match="1 of 2 proxies have not drained backend v2: b"):
        wait(monkeypatch, gone, FakeIstiod({"a": free, "b": bound}))


def test_a_proxy_that_the_push_passes_over_is_asked_about(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that does not have the service at all (exportTo, Sidecar) is never pushed to, and
    must not hold anything up.
    """
    stranger = proxy(3)
    istiod = FakeIstiod({"a": proxy(9, "v1 v2"), "z": stranger})
    assert 0.4 < wait(monkeypatch, V2, istiod) < 1
    assert istiod.asked == ["a", "z"]


def test_a_later_push_of_another_type_is_no_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    """istiod may be at push 12 when it is first asked, with clusters that were sent, and accepted, by push 9."""
    assert wait(monkeypatch, V2, FakeIstiod({"a": proxy(12, "v1 v2", sent=9)})) < 1.5


def test_each_istiod_answers_for_its_own_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pushes are numbered by each istiod for itself."""
    first = FakeIstiod({"a": proxy(90, "v1 v2")}, pod="istiod-1")
    second = FakeIstiod({"b": proxy(2, "v1")}, {"b": proxy(2, "v1")}, {"b": proxy(3, "v1 v2")}, pod="istiod-2")
    assert wait(monkeypatch, V2, first, second) > 0


@pytest.mark.parametrize(
    ("routes", "shares", "follows"),
    [
        ({"v1": 80, "v2": 20}, (("v1", 80), ("v2", 20)), True),
        ({"v1": 4, "v2": 1}, (("v1", 80), ("v2", 20)), True),
        ({"v1": 70, "v2": 30}, (("v1", 80), ("v2", 20)), False),
        ({"v1": 100, "v2": 0}, (("v1", 100),), True),
        ({"v1": 1}, (("v1", 100),), True),
        ({"v2": 1}, (("v1", 100),), False),
    ],
)
def test_a_split_is_followed_when_the_proportions_are_the_same(
    monkeypatch: pytest.MonkeyPatch, routes: dict[str, int], shares: tuple[tuple[str, int], ...], follows: bool
) -> None:
    """Weights may be scaled, and one version alone may have any."""
    istiod = FakeIstiod({"a": proxy(9, "v1 v2", routes)})
    want = divided(*shares)
    if follows:
        assert wait(monkeypatch, want, istiod) < 0.35
    else:
        with pytest.raises(LaggingError, match="have not acknowledged the change of backend"):
            wait(monkeypatch, want, istiod)


def test_without_proxies_there_is_nobody_to_wait_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mesh without callers follows by itself."""
    assert wait(monkeypatch, V2, FakeIstiod({})) < 0.1


def test_an_istiod_that_is_away_is_asked_again_until_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may come back; when it does not, the message says so. Where it can never be asked, nothing is waited for."""
    time = [0.0]
    tries: list[float] = []

    def away(_: Kubectl, seconds: float) -> list[FakeIstiod]:
        tries.append(time[0])
        if error is not None and time[0] < 3:
            raise error
        return [FakeIstiod({"a": proxy(9, "v1 v2")})]

    def pause(seconds: float) -> None:
        time[0] += seconds

    monkeypatch.setattr(proxies, "istiods", away)
    error: ClusterError | None = ClusterError("no istiod in namespace istio-system is ready")
    told: list[str] = []
    wait_for(KUBECTL, V2, 5, age=for_ever, tell=told.append, clock=lambda: time[0], pause=pause)
    assert len(tries) == 7
    assert told == [
        "istiod's sync status cannot be read, trying again for 5 s: no istiod in namespace istio-system is ready"
    ]
    time[0] = 0.0
    with pytest.raises(
        ClusterError,
        match="could not be read for 2 s, so it is not known whether proxies have acknowledged backend v2: no istiod",
    ):
        wait_for(KUBECTL, V2, 2, age=for_ever, clock=lambda: time[0], pause=pause)
    time[0] = 0.0
    error = UnaskedError("there is no istiod in namespace istio-system")
    with pytest.raises(UnaskedError):
        wait_for(KUBECTL, V2, 5, age=for_ever, clock=lambda: time[0], pause=pause)
    assert time[0] == 0


@pytest.mark.parametrize("want", [Want(HOST, gone=frozenset({"v2"})), V2, divided(("v1", 100))])
def test_an_istiod_that_has_just_come_back_does_not_know_all_proxies(
    monkeypatch: pytest.MonkeyPatch, want: Want
) -> None:
    """Nobody it knows of lags, but of those that have yet to come back to it, one still follows the old route, or
    would have the new one too early.
    """
    nobody: dict[str, Any] = {}
    assert wait(monkeypatch, want, FakeIstiod(nobody, ready_for=5)) == pytest.approx(30)
    assert wait(
        monkeypatch, want, FakeIstiod(nobody, ready_for=40), FakeIstiod(nobody, ready_for=5, pod="istiod-2")
    ) == pytest.approx(30)
    assert wait(monkeypatch, want, FakeIstiod(nobody, ready_for=40)) == 0


@pytest.mark.parametrize(("age", "waits"), [(3.9, False), (4.1, True), (20, True)])
def test_in_a_new_mesh_nobody_has_yet_to_come_back(monkeypatch: pytest.MonkeyPatch, age: float, waits: bool) -> None:
    """A service that is younger than istiod is known by nobody from before; a second is what Kubernetes's clock leaves
    in doubt.
    """
    assert (wait(monkeypatch, V2, FakeIstiod({}, ready_for=5), age=lambda now: age) > 0) is waits


def test_an_istiod_that_was_away_meanwhile_does_not_know_all_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor then for what is added: a proxy that comes back to it may have the route before the pods of the version in
    it.
    """
    time = [0.0]
    there = FakeIstiod({}, ready_for=-2.0)

    def opened(_: Kubectl, seconds: float) -> list[FakeIstiod]:
        if there.ready_for < 0:
            raise ClusterError("no istiod in namespace istio-system is ready")
        return [there]

    def pause(seconds: float) -> None:
        time[0] += seconds
        there.ready_for += seconds

    monkeypatch.setattr(proxies, "istiods", opened)
    wait_for(KUBECTL, V2, 30, age=for_ever, clock=lambda: time[0], pause=pause)
    assert time[0] == pytest.approx(37)
