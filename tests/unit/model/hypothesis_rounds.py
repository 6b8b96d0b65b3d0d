"""How examples are drawn: in rounds of ten.

Once a run has seen ten, Hypothesis goes on with five variations of each new example, which for configs are five times
the same; of a thousand examples, few would have nothing to do with each other. In rounds of ten all have.
"""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import HealthCheck, Phase, settings

ROUND = 10
tens = settings(
    max_examples=ROUND,
    deadline=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
)


def in_rounds(count: int) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Run a test with `@given` so many rounds."""

    def repeated(test: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            for _ in range(count):
                test()

        run.__name__, run.__doc__, run.__module__ = test.__name__, test.__doc__, test.__module__
        return run

    return repeated
