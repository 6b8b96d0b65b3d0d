"""With which config a stack was last brought about: what stands when the stack file says more than has been applied."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from weir.model.validation.load import inside
from weir.secret import Secret, opaque

_SERVICES = "weir:services"


def applied(entries: Sequence[Mapping[str, Any]], written: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The configs, weir's keys in full alone, of the updates of `pulumi stack history --json` (newest first, as
    there), down to the last that succeeded.

    Those that failed since come first: they may have brought about some of what they say. `written`: the config of the
    stack file. Of a config with secrets, decrypted, those variables alone are kept that the file has, in the clear or
    encrypted; one that could not be decrypted is left out. Of other keys with secrets, what the file has.
    """
    for entry in entries:
        if entry.get("kind") == "destroy" and entry.get("result") == "succeeded":
            return
        if entry.get("kind") != "update":
            continue
        config = {key: value for key, value in (entry.get("config") or {}).items() if key.startswith("weir:")}
        if config and "value" in config.get(_SERVICES, {"value": ""}):
            # What else may be a secret, the address of a receiver, is no part of an object: the file's is as good.
            decoded = {
                key: written.get(key, "")
                if value.get("secret") and key != _SERVICES
                else _decoded(value.get("value", ""))
                for key, value in config.items()
            }
            if config.get(_SERVICES, {}).get("secret"):
                decoded[_SERVICES] = _without_secrets(decoded.get(_SERVICES), _decoded(written.get(_SERVICES)))
            yield decoded
        if entry.get("result") == "succeeded":
            return


def _without_secrets(services: Any, written: Any) -> Any:
    """The services for a file. Secrets stand in variables alone, and whoever goes by this file touches no pod: what is
    left out of them is not missed.
    """
    made = copy.deepcopy(services)
    for name, service in (made if isinstance(made, dict) else {}).items():
        own = inside(written, name)
        holders = [(service, own)]
        versions = inside(service, "versions")
        if isinstance(versions, dict):
            holders += [(version, inside(inside(own, "versions"), key)) for key, version in versions.items()]
        for holder, beside in holders:
            if isinstance(inside(holder, "env"), dict):
                holder["env"] = dict(_variables(holder["env"], inside(beside, "env")))
    return made


def _variables(env: Mapping[str, Any], written: Any) -> Iterator[tuple[str, Any]]:
    for name, value in env.items():
        there = inside(written, name)
        if value == there or isinstance(opaque(there), Secret):
            yield name, there


def _decoded(value: Any) -> Any:
    """Objects stand in the history as JSON text."""
    if isinstance(value, str) and value.lstrip().startswith(("{", "[")):
        try:
            return json.loads(value)
        except json.JSONDecodeError:
            return value
    return value
