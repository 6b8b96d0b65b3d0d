"""The routes of a VirtualService, read by weir's own model, so that nothing computes a route twice; and the rule that they can be read."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from pydantic import ValidationError

from policy.known import UNKNOWN, Props, complete, mapping
from policy.rule import EVERY_STACK, VIRTUAL_SERVICE, Rule
from weir.model import RouteTraffic, read
from weir.model.changes import percents


def service(props: Props) -> str:
    """The name of the service, which its VirtualService has too."""
    return str(mapping(props.get("metadata")).get("name", "VirtualService"))


def notes(props: Props) -> Mapping[str, Any] | None:
    """The annotations of an object; None where they are not known yet."""
    there = mapping(props.get("metadata")).get("annotations")
    return None if there is UNKNOWN else mapping(there)


def routes(props: Props) -> tuple[RouteTraffic, ...]:
    """The HTTP routes in the order in which they are tried, the default route last; none where the spec is not known yet.

    None either where weir cannot read them, which `unreadable` refuses. Ends of faults stand in annotations, and are left out here.
    """
    try:
        return _read(props)
    except (KeyError, TypeError, ValueError):
        return ()


def default_shares(props: Props) -> dict[str, Fraction]:
    """Percent of each version on the default route; empty where the proxy answers by itself, or nothing is known."""
    there = routes(props)
    return percents(there[-1].weights) if there else {}


def unreadable(props: Props) -> list[str]:
    """Refuse a VirtualService that weir would not have written: what cannot be read cannot be judged, and must not pass for that."""
    try:
        _read(props)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        reason = f"{'.'.join(str(key) for key in first['loc'])}: {first['msg']}"
    except KeyError as error:
        reason = f"there is no {error.args[0]}"
    except ValueError as error:
        reason = str(error)
    except TypeError:
        reason = "the spec has another shape"
    else:
        return []
    return [
        f"{service(props)}: is nothing that weir writes, so that no rule can judge its routes ({reason}); write it as a service of weir:services"
    ]


def _read(props: Props) -> tuple[RouteTraffic, ...]:
    spec = props["spec"]
    # The spec of an ephemeral stack has the namespace in its hosts, and is unknown as a whole in the first preview.
    return read({"spec": spec}, []).routes if complete(spec) else ()


READABLE = Rule(
    name="readable-routes",
    description="The routes of a service are such as weir writes, so that the other rules can judge them.",
    kinds=(VIRTUAL_SERVICE,),
    stacks=EVERY_STACK,
    judge=lambda props, _settings, _stack: unreadable(props),
)
