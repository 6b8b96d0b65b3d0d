"""What weir passes, Kubernetes and Istio take: configs drawn by the thousand, before a real API server and Istio's own
analyzers.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings

from tests.live.analyze import Analyzer, reduced
from tests.live.apiserver import ApiServer
from tests.live.harness import Project
from tests.live.lossless.conftest import SOAKING
from tests.unit.model.hypothesis_rounds import ROUND, in_rounds, tens
from tests.unit.model.strategies import configs
from weir.model import load, mesh, warnings
from weir.model.manifests.kubernetes import namespace
from weir.secret import Secret

TAKEN = 2000 if SOAKING else 300
ANALYZED = 2000 if SOAKING else 300
NAMESPACE = "accepted"
_BATCH = 250
_FORETOLD = {
    "large direct_responses may impact": "large-body",
    "outlier detection policy must be provided for failover": "failover-without-outliers",
    "fractional byte value": "fractional-bytes",
    "is not used (duplicate/overlapping match in rule": None,  # an information, says analyze: Istio looks at the beginnings of paths alone
    "not used (": "hidden-route",
}
"""Warnings of Kubernetes and of Istio's webhook, and the warning of weir that says the same."""


def test_the_api_server_takes_every_valid_config(lab: Project) -> None:
    """Kubernetes, the schemas of Istio's objects and Istio's webhook take all that weir makes of a valid config, and
    warn of nothing else than it.
    """
    server = ApiServer(kubeconfig(lab))
    stage = namespace(NAMESPACE)
    server.create(stage)
    taken = {json.dumps(stage)}
    count = 0

    @in_rounds(TAKEN // ROUND)
    @tens
    @given(configs(NAMESPACE, least=1, most=1))
    def check(raw: dict[str, Any]) -> None:
        nonlocal count
        config = load(secretly(raw))
        foretold = {None, *(warning.name for warning in warnings(config))}
        for manifest in map(revealed, mesh(config, NAMESPACE).objects()):
            # Accounts and plain rules are the same in most configs; asking once is enough.
            text = json.dumps(manifest)
            if text in taken:
                continue
            if manifest["kind"] == "Namespace":
                # It stands, as the first config had it: what another one makes of it is tried under another name.
                manifest = {**manifest, "metadata": {**manifest["metadata"], "name": f"{NAMESPACE}-too"}}
            refused, warned = server.refusal(manifest)
            assert not refused, f"{refused}\n{json.dumps(manifest, indent=1)}"
            new = [
                each
                for each in warned
                if next((name for part, name in _FORETOLD.items() if part in each), each) not in foretold
            ]
            assert not new, f"weir did not warn that {new}\n{json.dumps(manifest, indent=1)}"
            taken.add(text)
        count += 1

    try:
        check()
    finally:
        server.delete(stage)
    assert count >= TAKEN


def test_analyze_finds_nothing_that_weir_did_not(lab: Project, tmp_path: Path) -> None:
    """`istioctl analyze` has no error for a config of weir, and no warning that weir did not have before anything was
    in the cluster.
    """
    drawn: dict[str, dict[str, Any]] = {}

    @in_rounds(ANALYZED // ROUND)
    @settings(tens, database=None, phases=[Phase.generate])
    @given(configs("any"))
    def collect(raw: dict[str, Any]) -> None:
        drawn[f"e{len(drawn)}"] = raw

    collect()
    analyzer = Analyzer(lab.directory / ".weir/lab/bin/istioctl", ApiServer(kubeconfig(lab)), tmp_path)
    names = list(drawn)
    for start in range(0, len(names), _BATCH):
        batch = {name: drawn[name] for name in names[start : start + _BATCH]}
        found = analyzer.unforetold(batch)
        if found:
            name, [first, *_] = min(found.items(), key=lambda item: len(json.dumps(batch.get(item[0], {}))))
            small, messages = reduced(batch.get(name, {}), analyzer, first.code)
            listed = "\n".join(f"{each.code} {each.level} {each.origin}: {each.text}" for each in messages or [first])
            pytest.fail(
                f"{len(found)} of {len(batch)} configs; the smallest, reduced:\n{json.dumps(small, indent=1)}\n{listed}"
            )


def secretly(raw: Any, inside: str = "") -> Any:
    """The config with every other variable a secret, as it is in a program."""
    if inside == "env":
        hidden = {name: Secret(str(value)) for name, value in list(raw.items())[::2] if not isinstance(value, dict)}
        return {**raw, **hidden}
    if isinstance(raw, dict):
        return {key: secretly(inner, key) for key, inner in raw.items()}
    return [secretly(inner) for inner in raw] if isinstance(raw, list) else raw


def revealed(manifest: Any) -> Any:
    """The object as the API server gets it."""
    if isinstance(manifest, dict):
        return {key: revealed(inner) for key, inner in manifest.items()}
    if isinstance(manifest, list):
        return [revealed(inner) for inner in manifest]
    return manifest.text if isinstance(manifest, Secret) else manifest


def kubeconfig(lab: Project) -> Path:
    return lab.directory / ".weir/lab/kubeconfig"
