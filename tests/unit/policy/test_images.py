"""Images: pinned in production."""

from __future__ import annotations

import pytest

from policy.images import unpinned
from policy.known import UNKNOWN
from tests.unit.policy.cases import Case, meshed, pods, put

DIGEST = f"sha256:{'0' * 64}"


def judged(image: str) -> list[str]:
    return unpinned(pods("v2", image=image))


def client(image: str) -> list[str]:
    return unpinned(meshed({}, clients={"frontend": {"image": image}}).clients["frontend"].deployment)


CASES = [
    Case("image-pinned", "a tag", lambda: judged("registry.example.com:5000/shop/backend:2.1.0")),
    Case("image-pinned", "a digest", lambda: judged(f"shop/backend@{DIGEST}")),
    Case("image-pinned", "a digest beside latest", lambda: judged(f"shop/backend:latest@{DIGEST}")),
    Case("image-pinned", "a tag that begins with latest", lambda: judged("shop/backend:latest-2.1.0")),
    Case("image-pinned", "a client with a tag", lambda: client("curlimages/curl:7.88.1")),
    Case(
        "image-pinned", "not known yet", lambda: unpinned(put(pods(), "spec.template.spec.containers.0.image", UNKNOWN))
    ),
    Case("image-pinned", "pods that are not known yet", lambda: unpinned(put(pods(), "spec.template", UNKNOWN))),
    Case(
        "image-pinned",
        "latest",
        lambda: judged("shop/backend:latest"),
        [
            (
                'backend v2: image "shop/backend:latest" has the tag latest; name a version, such as backend:1.4.2, '
                "or a "
                "digest"
            )
        ],
    ),
    Case(
        "image-pinned",
        "no tag, and a registry with a port",
        lambda: judged("registry.example.com:5000/shop/backend"),
        [
            'backend v2: image "registry.example.com:5000/shop/backend" has no tag, which means latest; name a '
            "version, such as backend:1.4.2,"
            " or a digest"
        ],
    ),
    Case(
        "image-pinned",
        "a client with latest",
        lambda: client("curlimages/curl:latest"),
        [
            (
                'client frontend: image "curlimages/curl:latest" has the tag latest; name a version, such as '
                "curl:1.4.2, "
                "or a digest"
            )
        ],
    ),
    Case(
        "image-pinned",
        "a container that runs before",
        lambda: unpinned(put(pods(), "spec.template.spec.initContainers", [{"name": "warm", "image": "warm"}])),
        ['backend v2: image "warm" has no tag, which means latest; name a version, such as warm:1.4.2, or a digest'],
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_images(case: Case) -> None:
    """A version or a digest is demanded of versions and of clients."""
    case.check()
