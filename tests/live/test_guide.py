"""The guide's commands, word for word, in a shell: what it shows is what they print."""

from __future__ import annotations

import re
import shutil

import pytest

from tests.live.harness import CHECKOUT, Project
from tests.live.lossless.conftest import SOAKING, soak

GUIDE = CHECKOUT / "docs" / "guide"
STEP = re.compile(r"```sh\n(?P<commands>.*?)```\n(?:```text\n(?P<shown>.*?)```)?", re.DOTALL)


def pattern(line: str) -> str:
    """A shown line as a pattern: `…` is anything, runs of spaces are any."""
    pieces = [r"\s+".join(re.escape(word) for word in re.split(r"\s+", piece)) for piece in line.rstrip().split("…")]
    return ".*".join(pieces)


def test_the_guide_is_what_happens(lab: Project) -> None:
    """Each block of commands ends well and prints every line the guide shows, in order: the tutorial, and a release in
    `make soak-tests`.
    """
    lab.run("pulumi stack select dev && pulumi up --yes --stack dev")
    replay(lab, "tutorial.md", 8)
    if SOAKING:
        replay(lab, "release.md", 8)
    lab.run("pulumi destroy --yes --stack dev")


@soak
def test_a_service_is_brought_as_the_guide_says(lab: Project) -> None:
    """With what it applies, and what it removes at the end."""
    applied = lab.directory / "docs" / "guide" / "shop.yaml"
    if not applied.exists():
        applied.parent.mkdir(parents=True)
        shutil.copy(GUIDE / "shop.yaml", applied)
    replay(lab, "adopt.md", 8)


def replay(lab: Project, page: str, least: int) -> None:
    """Do what a page of the guide says."""
    steps = list(STEP.finditer((GUIDE / page).read_text()))
    assert len(steps) >= least
    for step in steps:
        printed = lab.run(f"set -e; {step['commands']}").stdout
        rest = printed.splitlines()
        for line in (step["shown"] or "").splitlines():
            found = next((index for index, real in enumerate(rest) if re.fullmatch(pattern(line), real.rstrip())), None)
            if found is None:
                pytest.fail(f"the guide shows {line!r} after\n{step['commands']}\nand this was printed:\n{printed}")
            rest = rest[found + 1 :]
