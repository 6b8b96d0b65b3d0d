"""By how much a version's share of requests rises, route by route: the largest rise that any requests can see which
are not few.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from policy.requests import Journeys, meets_uri, narrow, taken
from weir.model import RouteTraffic
from weir.model.routing.diff import percents

Routes = Sequence[RouteTraffic]


@dataclass(frozen=True, slots=True)
class Rise:
    """A version gets more of what the route `after` takes than the route `before` gave it of the same requests, or
    more copies. Percent.
    """

    version: str
    before: RouteTraffic
    after: RouteTraffic
    was: Fraction
    share: Fraction
    copies: bool

    @property
    def points(self) -> Fraction:
        """By how much, in points of percent."""
        return self.share - self.was


def rises(before: Routes, after: Routes, hosts: Sequence[str], headers: Sequence[str], over: Fraction) -> list[Rise]:
    """The largest rise over so many points, of each version on each route; the default route first.

    A version that was stable may take all back: that is an abort, which nothing must stand in the way of. `hosts` are
    those of the service: a redirect to one of them comes back as another request.
    """
    journeys, found = Journeys(before, after, headers), dict[tuple[str, str, bool], Rise]()
    stable = _stable(before[-1]) | (set() if before[-1].weights else _stable(after[-1]))
    new = [_reached(route, after, hosts, headers) for route in after]
    for j in reversed(range(len(after))):
        for i in reversed(range(len(before))):
            large = [rise for rise in _of(before[i], after[j], new[j]) if rise.points > over]
            large = [rise for rise in large if rise.version not in stable | _stable(before[i])]
            if large and journeys.possible(i, j):
                for rise in large:
                    key = (rise.after.name, rise.version, rise.copies)
                    if key not in found or found[key].points < rise.points:
                        found[key] = rise
    return list(found.values())


def _of(before: RouteTraffic, after: RouteTraffic, new: Mapping[str, Fraction]) -> Iterator[Rise]:
    if after.redirect is not None and after.redirect == before.redirect:
        # What is sent to the same place as before is judged there.
        return
    old = percents(before.weights)
    for version, share in new.items():
        yield Rise(version, before, after, old.get(version, Fraction(0)), share, copies=False)
    had = copies(before)
    for version, share in copies(after).items():
        # What a version answers it has seen; a copy of it is nothing new.
        yield Rise(
            version,
            before,
            after,
            max(had.get(version, Fraction(0)), old.get(version, Fraction(0))),
            share,
            copies=True,
        )


def _stable(route: RouteTraffic) -> set[str]:
    """The version that weir writes first is the stable one."""
    return set(list(route.weights)[:1])


def copies(route: RouteTraffic) -> dict[str, Fraction]:
    """Percent of the requests that each version gets copies of."""
    found: dict[str, Fraction] = {}
    for mirror in route.mirrors:
        share = Fraction(100) if mirror.percentage is None else Fraction(str(mirror.percentage))
        found[mirror.version] = found.get(mirror.version, Fraction(0)) + share
    return found


def _reached(route: RouteTraffic, routes: Routes, hosts: Sequence[str], headers: Sequence[str]) -> dict[str, Fraction]:
    """Percent of the route's requests that each version can get; those that are redirected come again, and take
    another route.
    """
    redirect = route.redirect
    if redirect is None or (redirect.authority is not None and redirect.authority.partition(":")[0] not in hosts):
        return percents(route.weights)
    found: dict[str, Fraction] = {}
    for other in routes:
        if any(
            not narrow(each, headers) and (redirect.uri is None or meets_uri(each, redirect.uri))
            for each in taken(other)
        ):
            for version, share in percents(other.weights).items():
                found[version] = max(share, found.get(version, Fraction(0)))
    return found
