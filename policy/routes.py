"""The routes of a VirtualService, read by weir's own model, so that nothing computes a route twice; and the rule that
they can be read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from pydantic import ValidationError

from policy.known import UNKNOWN, Props, complete, listed, mapping
from policy.requests import wide
from policy.rule import EVERY_STACK, VIRTUAL_SERVICE, Rule
from weir.model import RouteTraffic, read
from weir.model.manifests.annotations import OWNER, VERSION_HOST
from weir.model.manifests.hosts import of_host, read_host
from weir.model.manifests.istio import host_virtual_service, virtual_service
from weir.model.routing.diff import percents


def service(props: Props) -> str:
    """The name of the service, which its VirtualService has too; of a host at gateways "host" and which it is."""
    if of_host(mapping(props.get("spec"))):
        return f"host {host(props)}"
    return str(mapping(props.get("metadata")).get("name", "VirtualService"))


def notes(props: Props) -> Mapping[str, Any] | None:
    """The annotations of an object; None where they are not known yet."""
    there = mapping(props.get("metadata")).get("annotations")
    return None if there is UNKNOWN else mapping(there)


def owner(props: Props, stack: str) -> str:
    """The stack with organization and project, which weir writes on every object; the organization stands in no URN.
    `stack`: its name, where the object does not say.
    """
    written = (notes(props) or {}).get(OWNER)
    return written if isinstance(written, str) else stack


def routed(props: Props) -> bool:
    """Whether a version gets requests of one of the routes."""
    return any(route.weights for route in routes(props))


def routes(props: Props) -> tuple[RouteTraffic, ...]:
    """The HTTP routes in the order in which they are tried, the default route last; none where the spec is not known
    yet.

    None either where weir cannot read them, which `unreadable` refuses. Ends of faults stand in annotations, and are
    left out here.
    """
    try:
        return _read(props)
    except (AttributeError, KeyError, TypeError, ValueError):
        return ()


def parts(props: Props) -> Mapping[str, tuple[RouteTraffic, ...]]:
    """The routes of each service, by its host in full. Of a host at gateways that stands before the service's, behind
    a slash; what its proxies answer by themselves has none there.
    """
    if not of_host(mapping(props.get("spec"))):
        return {host(props): routes(props)}
    if not routes(props):
        return {}
    found: dict[str, tuple[RouteTraffic, ...]] = {}
    for entry in read_host({"spec": props["spec"]}).entries:
        key = f"{host(props)}/{entry.host or ''}"
        found[key] = (*found.get(key, ()), *entry.routes)
    return found


def hosts(props: Props) -> tuple[str, ...]:
    """The hosts whose requests the routes take, that of the service first; none where they are not known yet."""
    return tuple(name for name in listed(mapping(props.get("spec")).get("hosts")) if isinstance(name, str))


def host(props: Props) -> str:
    """The host of the service: by what it is called in the mesh, whatever the object is called."""
    return next(iter(hosts(props)), "")


def wide_shares(props: Props, headers: Sequence[str]) -> dict[str, tuple[Fraction, RouteTraffic]]:
    """The largest percent that each version gets of a route that may take many requests, and which that is."""
    found: dict[str, tuple[Fraction, RouteTraffic]] = {}
    # Of two that are alike the default route is named.
    for route in reversed(routes(props)):
        for version, share in percents(route.weights).items() if wide(route, headers) else ():
            if version not in found or found[version][0] < share:
                found[version] = (share, route)
    return found


def unreadable(props: Props) -> list[str]:
    """Refuse a VirtualService that weir would not have written: what cannot be read cannot be judged, and must not
    pass for that.
    """
    try:
        _read(props)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        reason = f"{'.'.join(str(key) for key in first['loc'])}: {first['msg']}"
    except KeyError as error:
        reason = f"{error.args[0]} is missing"
    except ValueError as error:
        reason = str(error)
    except (AttributeError, TypeError):
        reason = "the spec does not have the expected structure"
    else:
        if not (reason := _unread(props)):
            return []
    return [
        (
            f"{service(props)}: the VirtualService does not have the form that weir writes, so no rule can judge its "
            f"routes ({reason}); define it as a service of weir:services"
        )
    ]


def _read(props: Props) -> tuple[RouteTraffic, ...]:
    spec = props["spec"]
    if complete(spec) and of_host(mapping(spec)):
        return tuple(route for entry in read_host({"spec": spec}).entries for route in entry.routes)
    # The spec of an ephemeral stack has the namespace in its hosts, and is unknown as a whole in the first preview.
    return read({"spec": spec, "metadata": {"annotations": _places(props)}}, []).routes if complete(spec) else ()


def _places(props: Props) -> Mapping[str, Any]:
    """The annotations that name versions which are other Services."""
    return {name: at for name, at in (notes(props) or {}).items() if name.startswith(VERSION_HOST)}


def _unread(props: Props) -> str:
    """What stands in the spec and is in none of the routes: written again, they have to be the same spec."""
    spec, own = props["spec"], host(props)
    if not complete(spec):
        return ""
    if of_host(spec):
        return _differs(spec, host_virtual_service({}, read_host({"spec": spec}))["spec"], "spec")
    name, *rest = own.split(".")
    if name != service(props):
        return f"it is about the host {own}"
    again = virtual_service(name, read({"spec": spec}, []), next(iter(rest), ""), own)["spec"]
    return _differs(spec, again, "spec")


def _differs(given: Any, wanted: Any, where: str) -> str:
    """The first place in which the two differ, in words; empty when they are the same."""
    if isinstance(given, Mapping) and isinstance(wanted, Mapping):
        pairs = [(f"{where}.{key}", given.get(key), wanted.get(key)) for key in (*given, *wanted)]
    elif isinstance(given, list) and isinstance(wanted, list) and len(given) == len(wanted):
        pairs = [(f"{where}[{index}]", *both) for index, both in enumerate(zip(given, wanted, strict=True))]
    else:
        return "" if given == wanted else f"{where} is not what weir makes of it"
    return next(filter(None, (_differs(one, other, place) for place, one, other in pairs)), "")


READABLE = Rule(
    name="readable-routes",
    description="A VirtualService has the form that weir writes, so that the other rules can judge its routes.",
    kinds=(VIRTUAL_SERVICE,),
    stacks=EVERY_STACK,
    judge=lambda props, _settings, _stack: unreadable(props),
)
