"""What a release asks about rollouts, while it is planned."""

from __future__ import annotations

from pathlib import Path

import pytest

from weir.cli.under_way import UnderWay
from weir.cluster.kubectl import Kubectl

# Answers when it is let, or fails after ten seconds.
WAITING = """#!/bin/sh
for look in $(seq 1000); do
    [ -e "${0%/*}/go" ] && exit 0
    sleep 0.01
done
echo "nobody went on meanwhile" >&2
exit 1
"""


@pytest.mark.parametrize("ends", [False, True])
def test_a_release_goes_on_while_the_cluster_is_asked(tmp_path: Path, ends: bool) -> None:
    (tmp_path / "kubectl").write_text(WAITING)
    (tmp_path / "kubectl").chmod(0o755)
    asked = UnderWay(Kubectl(str(tmp_path / "kubectl"), "demo"), ["backend"], ends=ends)
    (tmp_path / "go").touch()
    asked.refuse()
    assert asked.end("weir abort backend") == []
