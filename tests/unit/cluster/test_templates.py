"""Pods of one template are told from those of another by what Kubernetes' own controllers say of them: the labels are
those of pods that a Deployment, a StatefulSet and Argo's Rollout have made.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from weir.cluster.kubectl import Kubectl
from weir.cluster.templates import made_of


def pod(image: str = "app:1", *, deleted: bool = False, **labels: str) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": "a", "labels": {key.replace("_", "-"): value for key, value in labels.items()}}
    if deleted:
        metadata["deletionTimestamp"] = "2026-11-28T09:00:00Z"
    return {"metadata": metadata, "spec": {"containers": [{"name": "app", "image": image}]}}


def asked(directory: Path, *pods: dict[str, Any]) -> dict[str, str]:
    script = directory / "kubectl"
    script.write_text(f"#!/bin/sh\ncat <<'EOF'\n{json.dumps({'items': pods})}\nEOF\n")
    script.chmod(0o755)
    labels = {"backend": {"app": "backend", "version": "v2"}, "cart": {"app": "cart", "version": "v2"}}
    return made_of(Kubectl(str(script), "demo"), labels)


def v2(**labels: Any) -> dict[str, Any]:
    return pod(app="backend", version="v2", **labels)


def test_pods_of_a_template_are_one_however_many_there_are(tmp_path: Path) -> None:
    """Of other versions and services nothing counts, nor a pod that is being deleted."""
    one = v2(pod_template_hash="6c4f8d")
    other = pod(app="backend", version="v1", pod_template_hash="77aa")
    assert asked(tmp_path, one, other) == asked(tmp_path, one, one, v2(pod_template_hash="5b", deleted=True))
    assert asked(tmp_path, one).keys() == {"backend"}
    assert asked(tmp_path, other) == {}


def test_another_template_is_another_one(tmp_path: Path) -> None:
    """Also while pods of both are there."""
    for label in ("pod_template_hash", "controller_revision_hash", "rollouts_pod_template_hash"):
        before, after = v2(**{label: "6c4f8d"}), v2(**{label: "5b5b5b"})
        found = [asked(tmp_path, before), asked(tmp_path, before, after), asked(tmp_path, after)]
        assert len({each["backend"] for each in found}) == 3


def test_without_such_a_label_the_images_tell(tmp_path: Path) -> None:
    """Somebody's own controller may give none."""
    assert asked(tmp_path, v2(image="app:1")) != asked(tmp_path, v2(image="app:2"))
    assert asked(tmp_path, v2(image="app:1")) == asked(tmp_path, v2(image="app:1"), v2(image="app:1"))
