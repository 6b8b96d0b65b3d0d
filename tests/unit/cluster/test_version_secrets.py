"""Which Secrets a killed update has left: those of the stack that no pods take."""

from __future__ import annotations

from typing import Any

from weir.cluster.version_secrets import unused


def made(name: str, owner: str | None = "organization/weir/dev") -> dict[str, Any]:
    return {"name": name, **({"annotations": {"weir.dev/stack": owner}} if owner else {})}


def takes(*variables: dict[str, Any]) -> dict[str, Any]:
    return {
        "spec": {"template": {"spec": {"containers": [{"name": "proxy"}, {"name": "app", "env": list(variables)}]}}}
    }


def test_what_no_pods_take_is_left() -> None:
    """Not what a Deployment takes a variable from, be it one of many; not another stack's, nor what nobody marked."""
    objects = {
        ("Deployment", "a"): takes(
            {"name": "PLAIN", "value": "1"},
            {"name": "ID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "a-v1-11111111", "key": "TOKEN"}}},
        ),
        ("Service", "a"): {"spec": {}},
    }
    secrets = [
        made("a-v1-11111111"),
        made("a-v1-33333333"),
        made("a-v1-22222222"),
        made("b-v1-11111111", "organization/weir/prod"),
        made("c-v1-11111111", "organization/shop/dev"),
        made("mine", None),
    ]
    assert unused(secrets, objects, "weir/dev") == ["a-v1-22222222", "a-v1-33333333"]
    assert unused(secrets, {}, "weir/dev") == ["a-v1-11111111", "a-v1-22222222", "a-v1-33333333"]
