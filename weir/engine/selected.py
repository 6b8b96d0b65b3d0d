"""Which stack of a project is selected (`pulumi stack select`), read where Pulumi keeps it: to start pulumi for that
would take a third of a second.
"""

from __future__ import annotations

import json
import os
from hashlib import sha1
from pathlib import Path
from typing import Any

from weir.stack import yaml_reader


def selected(project: Path) -> str | None:
    """The name that `PULUMI_STACK` gives, which goes before the selection as it does for pulumi, else the selected
    one; None where none is.

    Without the organization that a file backend gives every stack.
    """
    name = os.environ.get("PULUMI_STACK") or _selection(project)
    return (
        name.removeprefix("organization/").rsplit("/", 1)[-1]
        if name and name.startswith("organization/")
        else name or None
    )


def _selection(project: Path) -> str | None:
    home = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
    try:
        name = yaml_reader.load((project / "Pulumi.yaml").read_text(encoding="utf-8"))["name"]
    except (OSError, yaml_reader.NotYamlError, KeyError, TypeError):
        return None
    # Pulumi takes the path as the shell has it, which may go through a symbolic link.
    shell = Path(os.environ.get("PWD", ""))
    places = [
        project,
        *(each for each in (shell, *shell.parents) if each.is_absolute() and (each / "Pulumi.yaml").is_file()),
    ]
    for place in dict.fromkeys(places):
        digest = sha1(str(place / "Pulumi.yaml").encode(), usedforsecurity=False).hexdigest()
        settings = _json(home / "workspaces" / f"{name}-{digest}-workspace.json")
        stacks = settings.get("stacks") or {}
        backend = os.environ.get("PULUMI_BACKEND_URL") or _json(home / "credentials.json").get("current", "")
        if found := stacks.get(backend) or settings.get("stack"):
            return str(found)
    return None


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
