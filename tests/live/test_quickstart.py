"""What `make up` runs: lab, stack, measured traffic, and what to try next."""

from __future__ import annotations

from tests.live.harness import CHECKOUT, Project


def test_quickstart_shows_measured_traffic_and_what_to_try_next(lab: Project) -> None:
    """It ends with the measured split and three commands; again it finds nothing to change; the stack file stays as it
    was.
    """
    file = lab.directory / "Pulumi.dev.yaml"
    written = (CHECKOUT / "Pulumi.dev.yaml").read_text()
    file.write_text(written)
    for unchanged in (False, True):
        done = lab.weir("quickstart")
        assert "traffic is what the config says" in done.stdout
        assert "kubectl exec deploy/frontend -- curl -s http://backend" in done.stdout
        assert ("20 unchanged" in done.stdout) == unchanged
    assert file.read_text() == written
