"""What counters have grown by, where series go and come."""

from __future__ import annotations

from weir.measurement.growth import Growth
from weir.measurement.prometheus import Sample


def scraped(at: float, **counters: float) -> list[Sample]:
    return [Sample({"instance": "a", "v": name}, at, value) for name, value in counters.items()]


def grown(growth: Growth, samples: list[Sample]) -> list[dict[str, int]]:
    return [{dict(series)["v"]: count for series, count in each.items()} for each in growth.after(samples)]


def test_a_series_that_is_new_has_counted_since() -> None:
    """Proxies name one once it counts something."""
    growth = Growth()
    assert grown(growth, scraped(1, v1=1000)) == []
    assert grown(growth, scraped(2, v1=1001, v2=3)) == [{"v1": 1, "v2": 3}]


def test_a_series_that_returns_has_not() -> None:
    """What it had counted before it went is of another time, also where the split has changed meanwhile."""
    growth = Growth()
    grown(growth, scraped(1, v1=1000, v2=500))
    assert grown(growth, scraped(2, v1=1001)) == []
    assert grown(growth, scraped(3, v1=1002, v2=510)) == []
    assert grown(growth, scraped(4, v1=1004, v2=511)) == [{"v1": 2, "v2": 1}]
    growth.anew(5)
    assert grown(growth, scraped(5, v1=1005)) == []
    assert grown(growth, scraped(6, v1=1006, v2=512)) == []
    assert grown(growth, scraped(7, v1=1007, v2=513)) == [{"v1": 1, "v2": 1}]
