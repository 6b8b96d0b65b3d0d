"""Faults with an end: which of them there are, which have ended, and the config without those.

What time it is comes from outside: the same config at the same moment is the same traffic.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from weir.model.config.actions import Fault
from weir.model.config.stack import Service, StackConfig
from weir.model.values.problems import Path, Problem


@dataclass(frozen=True, slots=True)
class Ending:
    """A fault that ends: where it is written, of which service, when, and whether it is a drill."""

    path: Path
    service: str
    until: datetime
    drill: bool


def endings(config: StackConfig) -> Iterator[Ending]:
    """Every fault of the config that has an end."""
    for name, service in config.services.items():
        for path, fault in _faults(service):
            if fault.until is not None:
                yield Ending(("services", name, *path), name, fault.until.moment, path == ("drill",))


def _faults(service: Service) -> Iterator[tuple[Path, Fault]]:
    written: list[tuple[Path, Fault | None]] = [(("fault",), service.fault), (("drill",), service.drill)]
    written += [(("routes", index, "fault"), route.fault) for index, route in enumerate(service.routes)]
    yield from ((path, fault) for path, fault in written if fault is not None)


def ended(config: StackConfig, now: datetime) -> tuple[Problem, ...]:
    """A problem for each fault whose end has passed: it must not stand in a config any more."""
    return tuple(
        Problem(
            (*ending.path, "until"),
            (
                f"expired {ago(now - ending.until)} ago; "
                f"{f'remove it: weir drill {ending.service} --clean' if ending.drill else 'remove the fault'}"
            ),
        )
        for ending in endings(config)
        if ending.until <= now
    )


def without_ended(config: StackConfig, now: datetime) -> StackConfig:
    """The config without the faults whose end has passed."""
    if not any(ending.until <= now for ending in endings(config)):
        return config
    return config.model_copy(
        update={"services": {name: _without(service, now) for name, service in config.services.items()}}
    )


def _without(service: Service, now: datetime) -> Service:
    routes = tuple(
        route.model_copy(update={"fault": None}) if _over(route.fault, now) else route for route in service.routes
    )
    gone = {name: None for name in ("fault", "drill") if _over(getattr(service, name), now)}
    return service.model_copy(update={"routes": routes, **gone})


def _over(fault: Fault | None, now: datetime) -> bool:
    return fault is not None and fault.until is not None and fault.until.moment <= now


def ago(length: timedelta) -> str:
    """A length of time as people say it: 40 s, 12 min, 3 h, 2 days."""
    seconds = max(0, round(length.total_seconds()))
    for unit, size, most in (("s", 1, 100), ("min", 60, 100), ("h", 3600, 48)):
        if seconds < size * most:
            return f"{seconds // size} {unit}"
    return f"{seconds // 86400} days"
