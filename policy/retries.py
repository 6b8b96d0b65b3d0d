"""Retries that can happen, and not too many of them: each multiplies the load of a service that is failing already."""

from __future__ import annotations

from policy.known import Props
from policy.routes import routes, service
from policy.rule import EVERY_STACK, VIRTUAL_SERVICE, Option, Rule

MAX_ATTEMPTS = Option(10, "how often a request may be retried", {"type": "integer", "minimum": 0})


def unsound(props: Props, most: int) -> list[str]:
    """A message for each route that retries more than `most` times, or whose timeout is over before its retries are.

    Envoy's timeout of a route spans the first try and all retries, so (attempts + 1) × perTryTimeout must fit in it
    where both are set.
    """
    found = []
    for route in routes(props):
        retries, where = route.retries, f"{service(props)}: route {route.name}"
        if retries is None or retries.attempts == 0:
            continue
        if retries.attempts > most:
            found.append(f"{where}: retries.attempts is {retries.attempts}, at most {most} are allowed; lower it")
        if retries.per_try_timeout and route.timeout:
            tries = retries.attempts + 1
            nanoseconds = tries * retries.per_try_timeout.nanoseconds
            if nanoseconds > route.timeout.nanoseconds:
                found.append(
                    f"{where}: {tries} tries (retries.attempts {retries.attempts}, and the first) of perTryTimeout "
                    f"{retries.per_try_timeout} take"
                    f" {nanoseconds / 10**9:g} s, and timeout is {route.timeout}; raise timeout, or lower attempts "
                    "or perTryTimeout"
                )
    return found


SOUND = Rule(
    name="retries-within-timeout",
    description="Retries fit into the timeout of their route, and are not too many.",
    kinds=(VIRTUAL_SERVICE,),
    stacks=EVERY_STACK,
    options={"maxAttempts": MAX_ATTEMPTS},
    judge=lambda props, settings, _stack: unsound(props, settings["maxAttempts"]),
)
