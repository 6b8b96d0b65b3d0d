"""To which update a rollback goes, what its services were then, and what of the config stays as it is."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from weir.cli.context import Context
from weir.engine.earlier import Earlier, last_update, update, updates
from weir.engine.secrets import NEEDED, sealed
from weir.errors import UsageError
from weir.model import Service, StackConfig
from weir.model.validation.load import decoded
from weir.model.values.problems import dotted
from weir.secret import Secret, opaque
from weir.stack.edit import StackEdit
from weir.stack.restored import Restored, restored, same

_ELSEWHERE = ("services", "notify")
"""Keys that are no config of the stack's objects besides its services."""


@dataclass(frozen=True, slots=True)
class Back:
    """What a rollback goes back to.

    `services`: those that are asked for, as they were. `changed`: those that differ from the stack file.
    `applied`: those that the stack file has as the last update that succeeded had them.
    `settled`: whether the last update succeeded; else the cluster may have part of it, whatever the file says.
    """

    earlier: Earlier
    services: Mapping[str, Restored]
    changed: tuple[str, ...]
    applied: frozenset[str]
    settled: bool


def chosen(
    file: StackEdit, entries: Sequence[Mapping[str, Any]], names: Collection[str], number: int | None
) -> Back | None:
    """The update with this number of `pulumi stack history --json`; else the newest that succeeded with another config
    of these services than the file has, or None where there is none. Raises UsageError for one to which nobody can go
    back.

    Steps of rollouts are left out, and so is what the last update, a rollback itself, has left: whoever says it again
    goes on with one that failed, and further back from one that succeeded.
    """
    last = next(updates(entries), None)
    applied = frozenset(
        name
        for name in names
        if last and name in last.services and not _differs(_restored(last, file, name), file.settings(name))
    )
    newest = last_update(entries, names)
    number = newest.again if number is None else number
    for earlier in updates(entries) if number is None else [update(entries, number)]:
        if number is None and (earlier.is_step or earlier.number >= newest.below):
            continue
        services = {name: _restored(earlier, file, name) for name in names}
        changed = tuple(name for name, then in services.items() if _differs(then, file.settings(name)))
        if changed or number is not None:
            return Back(earlier, services, changed, applied, newest.succeeded)
    return None


def _restored(earlier: Earlier, file: StackEdit, name: str) -> Restored:
    number = earlier.number
    if "services" in earlier.unknown:
        raise UsageError(
            f"what the services were at update {number} is not known: Pulumi cannot decrypt their secrets here. "
            f"Nothing was changed; {NEEDED}, or name another update: --to N"
        )
    then = earlier.services.get(name)
    if not isinstance(then, dict):
        raise UsageError(
            f"update {number} had no service {name}: going back would remove it, and nothing was changed. To remove "
            f"it, take it out of {file.path.name} and run pulumi up; to go back with others alone, name them: weir "
            f"rollback SERVICE --to {number}"
        )
    return restored(then, file.settings(name), hiding="services" in earlier.hiding)


def _differs(then: Restored, now: Mapping[str, Any]) -> bool:
    """Whether it says something else; `1` and `"1"` are the same to weir, and to nobody who compares texts."""
    if same(then.tree, now):
        return False
    try:
        return bool(Service.model_validate(opaque(then.tree)) != Service.model_validate(opaque(dict(now))))
    except ValidationError:
        return True  # of a weir of another day, which says so when the file is checked


def others(earlier: Earlier, now: Mapping[str, Any]) -> list[str]:
    """The keys besides services that were others then, where that is known."""
    names = [str(field.alias) for field in StackConfig.model_fields.values()]
    return [
        dotted((name,))
        for name in names
        if name not in _ELSEWHERE
        and name not in earlier.hiding
        and _alone(name, earlier.config.get(name)) != _alone(name, decoded(name, now.get(name)))
    ]


def _alone(name: str, value: Any) -> Any:
    """What a key says, by itself; left out and empty are the same."""
    try:
        return StackConfig.model_validate({} if value in (None, "") else {name: value})
    except ValidationError:
        return value


def encrypted(context: Context, back: Back) -> dict[str, Any]:
    """What the services that change are to be in the stack file, all secrets encrypted. Raises EngineError."""
    services = {name: back.services[name] for name in back.changed}
    if not any(each.hidden for each in services.values()):
        return {name: each.tree for name, each in services.items()}
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory) / context.path.name
        copy.write_bytes(context.path.read_bytes())
        return {name: _sealed(context, copy, each.tree) for name, each in services.items()}


def _sealed(context: Context, copy: Path, value: Any) -> Any:
    if isinstance(value, Secret):
        return {"secure": sealed(context.engine, copy, value.text)}
    if isinstance(value, dict):
        return {key: _sealed(context, copy, inner) for key, inner in value.items()}
    return [_sealed(context, copy, inner) for inner in value] if isinstance(value, list) else value
