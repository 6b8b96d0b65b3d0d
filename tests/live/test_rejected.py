"""What Envoy rejects, weir refuses first: configs drawn by the thousand, before a real istiod and real Envoys.

WEIR_SEED names the draws, so that those of a failure can be had again. WEIR_SOAK=1 draws more.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import Phase, given, seed, settings

from tests.live.lossless.conftest import SOAKING
from tests.live.proxies import GATEWAY_LABELS, Proxies, Rejection
from tests.live.rejected_configs import culprits, objects
from tests.live.shared import tools
from tests.unit.model.boundary_configs import wide_configs
from tests.unit.model.hypothesis_rounds import ROUND, tens
from weir.model.manifests.kubernetes import Manifest
from weir.model.values import numbers, variables

DRAWN = 2000 if SOAKING else 300
_TRIED = 4000
SEED = int(os.environ.get("WEIR_SEED", "0"))
_BATCH = 50
_LONG = 200
_SOUND: dict[str, Any] = {"namespace": "any", "services": {"web": {"versions": {"v1": {}, "v2": {}}, "stable": "v1"}}}


@pytest.fixture(scope="module")
def proxies() -> Iterator[Proxies]:
    """istiod and Envoys, as the lab has them, in a network of their own."""
    with Proxies.ready(tools().paths) as ready:
        yield ready


@pytest.mark.timeout(3600)
def test_no_proxy_rejects_what_weir_calls_sound(proxies: Proxies) -> None:
    """Whatever words and numbers a config has: either weir refuses it, or every proxy acknowledges it."""
    blamed: list[str] = []
    for number in range(0, DRAWN, _BATCH):
        drawn = _drawn(SEED * DRAWN + number)
        blamed += [
            f"{rejection}\n{_shortened(drawn.get(name, name))}" for name, rejection in culprits(drawn, proxies).items()
        ]
    assert not blamed, f"{len(blamed)} of {DRAWN} configs (WEIR_SEED={SEED}):\n" + "\n\n".join(blamed)


@pytest.mark.timeout(1800)
def test_the_draws_find_what_weir_does_not_refuse(proxies: Proxies, monkeypatch: pytest.MonkeyPatch) -> None:
    """They have the power to: without weir's rule for redirects, the same draws bring some that Envoy rejects, and
    these alone are blamed.
    """
    monkeypatch.setattr(numbers, "REDIRECT_CODES", range(300, 400))
    found: dict[str, Rejection] = {}
    for number in range(0, _TRIED, _BATCH):
        drawn = _drawn(number)
        found = culprits(drawn, proxies)
        if found:
            break
    assert found
    for name, rejection in found.items():
        assert 'field: "action", reason: is required' in rejection.reason
        assert any(f'"redirectCode": {code}' in json.dumps(drawn[name]) for code in range(300, 400))


def _with_redirect(made: list[Manifest]) -> None:
    [route] = [each for each in made if each["kind"] == "VirtualService"]
    route["spec"]["http"].insert(
        0, {"name": "old", "match": [{"uri": {"prefix": "/old"}}], "redirect": {"uri": "/", "redirectCode": 305}}
    )


def _with_ring(made: list[Manifest]) -> None:
    rule = next(each for each in made if each["kind"] == "DestinationRule")
    ring = {"useSourceIp": True, "ringHash": {"minimumRingSize": 8388609}}
    rule["spec"]["subsets"][0]["trafficPolicy"] = {"loadBalancer": {"consistentHash": ring}}


def _with_port(made: list[Manifest]) -> None:
    [entry] = [each for each in made if each["kind"] == "ServiceEntry"]
    entry["spec"]["ports"][0]["number"] = 15090


def _with_no_name(made: list[Manifest]) -> None:
    [route] = [each for each in made if each["kind"] == "VirtualService"]
    route["spec"]["http"][0]["corsPolicy"] = {
        "allowOrigins": [{"exact": "https://a.b"}],
        "allowHeaders": [":authority"],
    }


@pytest.mark.parametrize(
    ("spoil", "kind", "reason"),
    [
        (_with_redirect, "RouteConfiguration", 'field: "action", reason: is required'),
        (_with_ring, "Cluster", "MinimumRingSize"),
        (_with_port, "Listener", "duplicate address"),
        (_with_no_name, "object", "is not a valid header name"),
    ],
)
def test_what_is_rejected_is_seen(
    proxies: Proxies, spoil: Callable[[list[Manifest]], None], kind: str, reason: str
) -> None:
    """The judge is not blind: it says who rejects what and why, and has nothing against the same objects unspoilt."""
    made = objects({"sound": _SOUND})
    assert proxies.rejections(made) == []
    spoil(made)
    [rejection, *_] = proxies.rejections(made)
    assert rejection.kind == kind
    assert reason in rejection.reason


def test_what_else_runs_beside_the_proxies_is_no_rejection(proxies: Proxies) -> None:
    """A gateway may listen at any port, those of etcd, the API server and istiod too: the judge's own are in its way
    nowhere.
    """
    servers = [
        {"port": {"number": port, "name": f"http-{port}", "protocol": "HTTP"}, "hosts": ["*"]}
        for port in (2379, 6443, 15010, 40758)
    ]
    made = objects({"sound": {**_SOUND, "gateways": {"edge": {"selector": GATEWAY_LABELS, "servers": servers}}}})
    assert proxies.rejections(made) == []


def test_envoy_knows_every_variable_that_weir_lets_pass(proxies: Proxies) -> None:
    """Each of them in a header of its own, with arguments where it needs some."""
    arguments = {"METADATA": "ROUTE:a:b", "COMMON_DURATION": "DS_RX_BEG:DS_TX_END"}
    values = [
        f"%{name}({arguments.get(name, 'a')})%" if name in variables.NEEDED else f"%{name}%" for name in variables.NAMES
    ]
    written = {f"x-{number}": value for number, value in enumerate(values)}
    service = {**_SOUND["services"]["web"], "headers": {"request": {"set": written}}}
    assert proxies.rejections(objects({"sound": {**_SOUND, "services": {"web": service}}})) == []


def _drawn(number: int) -> dict[str, dict[str, Any]]:
    """A batch, the same for the same number."""
    drawn: dict[str, dict[str, Any]] = {}

    @settings(tens, database=None, phases=[Phase.generate])
    @given(wide_configs())
    def collect(raw: dict[str, Any]) -> None:
        drawn[f"e{len(drawn)}"] = raw

    for start in range(number, number + _BATCH, ROUND):
        seed(start)(collect)()
    return drawn


def _shortened(value: Any) -> str:
    """A config as people can read it: a text of thousands of the same letter is not written out."""
    if isinstance(value, str):
        return json.dumps(value if len(value) < _LONG else f"{value[:20]}… ({len(value)})", ensure_ascii=False)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_shortened(key)}: {_shortened(inner)}" for key, inner in value.items()) + "}"
    return "[" + ", ".join(map(_shortened, value)) + "]" if isinstance(value, list) else json.dumps(value)
