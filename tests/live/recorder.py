"""Records previews for the tests of `weir diff`: real `pulumi preview --json` of every kind of change, on the lab of a
project.

    WEIR_LIVE_PROJECT=DIR python -m tests.live.recorder

writes tests/unit/engine/previews/NAME.json.gz; the expected texts beside them are written by people.
"""

from __future__ import annotations

import gzip
import json
import os
import sys
from pathlib import Path
from typing import Any

from tests.live.harness import Project
from tests.live.lossless.lab_stack import LabStack

PLACE = Path(__file__).resolve().parents[1] / "unit" / "engine" / "previews"
IMAGE = "hashicorp/http-echo:1.0.0"
UNTIL = "2100-01-01T00:00:00Z"


def service(**keys: Any) -> dict[str, Any]:
    """A service with two versions."""
    versions = {name: {"args": [f"-text={name}"]} for name in ("v1", "v2")}
    return {"image": IMAGE, "port": 80, "targetPort": 5678, "versions": versions, "stable": "v1", **keys}


def stack(*, others: dict[str, Any] | None = None, top: dict[str, Any] | None = None, **keys: Any) -> dict[str, Any]:
    """A config with the service `backend`."""
    return {"services": {"backend": service(**keys), **(others or {})}, **(top or {})}


V3 = {**service()["versions"], "v3": {"args": ["-text=v3"]}}
DELAY = {"delay": {"percentage": 50, "fixedDelay": "3s"}}
BETA = {"name": "beta", "match": [{"headers": {"x-user": {"exact": "beta"}}}], "stable": "v2"}
# What stands, then each change made to it, by name.
CHANGES: list[tuple[dict[str, Any] | None, dict[str, dict[str, Any]]]] = [
    (None, {"first-update": stack(canary={"v2": 20})}),
    (
        stack(canary={"v2": 20}),
        {
            "nothing": stack(canary={"v2": 20}),
            "canary-moves": stack(canary={"v2": 50}),
            "canary-of-half-a-percent": stack(canary={"v2": 0.5}),
            "promotion": stack(stable="v2"),
            "version-added": stack(versions=V3, canary={"v2": 20, "v3": 5}),
            "fault-comes": stack(canary={"v2": 20}, fault=DELAY),
            "drill-of-some-requests": stack(
                canary={"v2": 20},
                drill={
                    "abort": {"percentage": 10, "httpStatus": 503},
                    "until": UNTIL,
                    "match": {"headers": {"x-drill": {"exact": "on"}}},
                },
            ),
            "new-image": stack(
                canary={"v2": 20}, versions={**service()["versions"], "v2": {"image": "hashicorp/http-echo:1.1.0"}}
            ),
            "more-pods": stack(canary={"v2": 20}, replicas=2),
            "retries-and-timeout": stack(
                canary={"v2": 20}, timeout="10s", retries={"attempts": 3, "perTryTimeout": "2s"}
            ),
            "mirror": stack(canary={"v2": 0}, mirrors=[{"version": "v2", "percentage": 25}]),
            "route-added": stack(canary={"v2": 20}, routes=[BETA]),
            "policy": stack(canary={"v2": 20}, trafficPolicy={"outlierDetection": {"consecutive5xxErrors": 5}}),
            "service-added": stack(canary={"v2": 20}, others={"other": service()}),
            "client-added": stack(
                canary={"v2": 20}, top={"clients": {"frontend": {"image": "curlimages/curl:latest"}}}
            ),
            "everything-at-once": stack(
                versions=V3, stable="v3", canary={"v1": 1}, timeout="5s", fault=DELAY, others={"other": service()}
            ),
        },
    ),
    (
        stack(stable="v2", fault=DELAY, routes=[BETA], others={"other": service()}),
        {
            "version-retired": stack(
                stable="v2",
                versions={"v2": service()["versions"]["v2"]},
                fault=DELAY,
                routes=[BETA],
                others={"other": service()},
            ),
            "fault-goes": stack(stable="v2", routes=[BETA], others={"other": service()}),
            "route-goes": stack(stable="v2", fault=DELAY, others={"other": service()}),
            "service-removed": stack(stable="v2", fault=DELAY, routes=[BETA]),
            "exposed": stack(
                stable="v2",
                fault=DELAY,
                routes=[BETA],
                others={"other": service()},
                expose={"gateways": ["edge/public"], "hosts": ["shop.example.com"]},
            ),
        },
    ),
    (
        None,
        {
            "a-thousand-resources": {
                "services": {f"service-{number}": service(canary={"v2": 5}) for number in range(125)}
            }
        },
    ),
]


def main() -> int:
    """Record all, or those named on the command line."""
    scene = LabStack.create(Project(Path(os.environ["WEIR_LIVE_PROJECT"])), "recorded")
    wanted = set(sys.argv[1:])
    PLACE.mkdir(exist_ok=True)
    for standing, changes in CHANGES:
        if wanted and not wanted & changes.keys():
            continue
        if standing is not None:
            scene.up(standing, "--skip-preview")
        for name, config in changes.items():
            if wanted and name not in wanted:
                continue
            scene.write(config)
            text = scene.run(f"pulumi preview --json --stack {scene.name} 2>/dev/null")
            with gzip.GzipFile(PLACE / f"{name}.json.gz", "wb", mtime=0) as file:
                file.write(json.dumps(kept(json.loads(text))).encode())
            print(f"{name}: {len(text):,} characters", file=sys.stderr)
        if standing is not None:
            scene.pulumi("destroy --yes")
    scene.remove()
    (scene.project.directory / f"Pulumi.{scene.name}.yaml").unlink(missing_ok=True)
    return 0


def kept(document: Any) -> Any:
    """The preview without what names this machine."""
    text = json.dumps(document)
    return json.loads(text.replace(os.environ["WEIR_LIVE_PROJECT"], "/project").replace(os.uname().nodename, "machine"))


if __name__ == "__main__":
    sys.exit(main())
