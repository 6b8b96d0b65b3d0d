"""Whether a cost grows as the number of services does."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from tests.bench.processes import Cost

MAX_EXPONENT = 1.2
MIN_SHARE = 0.1

CRITERION = (
    "processor time over that with one service (start-up) grows from each size to the largest by their ratio to the "
    f"power of at most {MAX_EXPONENT}; a size whose time over start-up is below {MIN_SHARE:.0%} of start-up says "
    "nothing"
)


def growth(costs: Mapping[int, Cost]) -> dict[str, Any]:
    """What a service costs at each size, and the verdict; the least size is start-up. Processor time is what others
    change least.
    """
    least, largest = min(costs), max(costs)
    start_up = costs[least].processor_seconds
    over = {size: each.processor_seconds - start_up for size, each in costs.items() if size != least}
    exponents = {
        size: math.log(over[largest] / seconds) / math.log((largest - least) / (size - least))
        for size, seconds in over.items()
        if size != largest and seconds > MIN_SHARE * start_up
    }
    return {
        "start_up_processor_seconds": round(start_up, 3),
        "milliseconds_per_service": {
            str(size): round(1000 * seconds / (size - least), 3) for size, seconds in over.items()
        },
        "exponents": {f"{size} to {largest}": round(exponent, 2) for size, exponent in exponents.items()},
        "linear": all(exponent <= MAX_EXPONENT for exponent in exponents.values()),
    }
