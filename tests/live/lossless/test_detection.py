"""`weir rollout` takes a version with a fault back in time, and a good one never, by what users' requests saw.

Ten kinds of faults (`faults`), begun while real requests come in, 108 a second, of which a tenth reaches the version;
one in a thousand of both versions' answers fails by itself. In `make test` test_rollout has two kinds of them.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.live.harness import Project
from tests.live.lossless.conftest import SOAKING, soak, temporary_stack
from tests.live.lossless.faults import FAULTS, FINE, SHARED, Kind
from tests.live.lossless.lab_stack import LabStack
from tests.live.lossless.trials import STANDING, Trials, trials

RUNS = 10


@pytest.fixture(scope="module")
def stack(lab: Project) -> Iterator[LabStack]:
    with temporary_stack(lab, "detection") as made:
        made.up(STANDING, "--skip-preview")
        yield made


@pytest.fixture
def tried(stack: LabStack) -> Iterator[Trials]:
    """Under a load of its own: fortio ends one after an hour."""
    with trials(stack) as found:
        yield found


@soak
@pytest.mark.timeout(2400)
@pytest.mark.parametrize("kind", FAULTS, ids=lambda kind: kind.name)
def test_a_fault_is_noticed(tried: Trials, kind: Kind) -> None:
    """In nine of ten runs within seconds, and callers send the version nothing two seconds later; nobody loses a
    request but by the fault.
    """
    found = [tried.run(kind) for _ in range(RUNS)]
    for each in found:
        print(each)
    assert [each.stray for each in found if each.stray] == []
    # Users have had the fault: requests that failed, or that took longer.
    assert all(each.hurt >= 2 or each.slower >= 1.3 for each in found), found
    assert sum(each.in_time(kind) for each in found) >= 0.9 * RUNS, found


def test_what_both_versions_suffer_is_no_fault(tried: Trials) -> None:
    """For ten seconds 30 % of both versions' answers fail: users see it, and the version goes on to become stable."""
    found = [tried.run(SHARED) for _ in range(RUNS if SOAKING else 1)]
    assert [each for each in found if each.aborted or each.stray] == []
    # 30 % of some ten requests a second for ten seconds; without the burst there are none.
    assert all(each.hurt >= 10 for each in found), found


@soak
@pytest.mark.timeout(2400)
def test_good_versions_take_over(tried: Trials) -> None:
    """Twenty of twenty."""
    found = [tried.run(FINE) for _ in range(20)]
    assert [each for each in found if each.aborted or each.stray] == []
