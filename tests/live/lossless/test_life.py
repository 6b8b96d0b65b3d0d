"""No request is lost, whatever order the config changes in: one round of the life, and a naive program that does lose
requests.
"""

from __future__ import annotations

from tests.live.harness import Project
from tests.live.lossless.baseline import NaiveStack
from tests.live.lossless.conftest import RATE, soak
from tests.live.lossless.lab_stack import LabStack
from tests.live.lossless.load import Load
from tests.live.lossless.service_lifecycle import START, STEPS, assert_lossless, live, told


def test_no_update_of_a_life_loses_a_request(life: LabStack) -> None:
    """Add, shift, promote, retire, replace pods, scale and swap under load: no error, no reset, no answer from a
    version that gets nothing.
    """
    life.up(START, "--skip-preview")
    with Load(life, rate=RATE) as load:
        steps = []
        for step in live(life, load, "--skip-preview"):
            print(told(step))
            steps.append(step)
        tally = load.stop()
    print(tally.figures())
    assert_lossless(steps, tally)
    assert [step.name for step in steps] == list(STEPS)
    assert sum(step.requests for step in steps) <= tally.requests
    life.assert_converged()


@soak
def test_the_naive_program_loses_requests(lab: Project) -> None:
    """The same load sees requests fail when people's usual program adds a version at 50 %; `make soak` has it remove
    one too.
    """
    with NaiveStack(lab, RATE) as naive:
        lost = next(naive.measure())
    print(lost.figures())
    assert lost.failed > 0, lost
    # The access log has seen what fortio has seen.
    assert sum(lost.flags.values()) > 0, lost
