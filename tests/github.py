"""A stand-in for `gh api` on pull requests and the comments of one: it keeps them, and every call, in a JSON file. GitHub
is the one thing no test here can have.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from os import environ
from pathlib import Path
from typing import Any

REPOSITORY = "acme/shop"
PULL_REQUEST = "7"
BOT = "github-actions[bot]"
_PAGE = 100
_MOST = 65_536


@dataclass(frozen=True)
class GitHub:
    """A directory with an executable `gh` for PATH, and what it was called for."""

    directory: Path

    @classmethod
    def create(cls, directory: Path) -> GitHub:
        directory.mkdir(parents=True, exist_ok=True)
        gh = directory / "gh"
        gh.write_text(f'#!/bin/sh\nexec {sys.executable} {Path(__file__).resolve()} {directory / "store.json"} "$@"\n')
        gh.chmod(0o755)
        made = cls(directory)
        made.keep([], [])
        return made

    @property
    def environment(self) -> dict[str, str]:
        """What GitHub gives a step that comments."""
        return {"GH_TOKEN": "token", "GITHUB_REPOSITORY": REPOSITORY, "PULL_REQUEST": PULL_REQUEST}

    @property
    def comments(self) -> list[dict[str, Any]]:
        """The comments there are."""
        return _read(self.directory / "store.json")["comments"]

    @property
    def calls(self) -> list[str]:
        """Method and path of each call."""
        return _read(self.directory / "store.json")["calls"]

    @property
    def pulls(self) -> list[dict[str, Any]]:
        """The pull requests that were opened here."""
        return _read(self.directory / "store.json").get("pulls", [])

    def keep(self, comments: list[dict[str, Any]], calls: list[str]) -> None:
        """Have these comments, as if others had written them."""
        (self.directory / "store.json").write_text(json.dumps({"comments": comments, "calls": calls}))


def _read(store: Path) -> dict[str, list[Any]]:
    content: dict[str, list[Any]] = json.loads(store.read_text())
    return content


def main(store: Path, arguments: list[str]) -> None:
    """Answer as `gh api` does; what the scripts do not ask for is refused."""
    parser = argparse.ArgumentParser("gh")
    parser.add_argument("api", choices=["api"])
    parser.add_argument("path")
    parser.add_argument("--method", default="GET")
    parser.add_argument("--field", action="append", default=[])
    parser.add_argument("--raw-field", action="append", default=[])
    parser.add_argument("--jq")
    for flag in ("--paginate", "--slurp", "--silent"):
        parser.add_argument(flag, action="store_true")
    asked = parser.parse_args(arguments)
    if not environ.get("GH_TOKEN"):
        sys.exit("gh: To use GitHub CLI in a GitHub Actions workflow, set the GH_TOKEN environment variable.")
    content = _read(store)
    path, _, query = asked.path.partition("?")
    content["calls"].append(f"{asked.method} {path}")
    comments = f"repos/{REPOSITORY}/issues/{PULL_REQUEST}/comments"
    if asked.method == "GET" and path == comments:
        assert asked.paginate, "without --paginate GitHub gives the first page alone"
        assert asked.slurp, "without --slurp pages are not one document"
        assert query == f"per_page={_PAGE}"
        found = content["comments"]
        print(json.dumps([found[start : start + _PAGE] for start in range(0, max(1, len(found)), _PAGE)]))
    elif asked.method == "POST" and path == comments:
        made = {"id": 1001 + len(content["comments"]), "user": {"login": BOT}, "body": _body(*asked.field)}
        content["comments"].append(made)
    elif asked.method == "PATCH" and path.startswith(f"repos/{REPOSITORY}/issues/comments/"):
        [kept] = [entry for entry in content["comments"] if path.endswith(f"/{entry['id']}")]
        kept["body"] = _body(*asked.field)
    elif path.startswith(f"repos/{REPOSITORY}/pulls"):
        _pulls(asked, content.setdefault("pulls", []), query)
    else:
        sys.exit(f"gh: Not Found (HTTP 404): {asked.method} {path}")
    store.write_text(json.dumps(content))


def _pulls(asked: argparse.Namespace, pulls: list[dict[str, Any]], query: str) -> None:
    """The open pull requests of a branch, a new one, or other words for one."""
    given = dict(field.split("=", 1) for field in asked.raw_field)
    if asked.field:
        given["body"] = _body(*asked.field)
    if asked.method == "GET":
        assert asked.jq == ".[].number"
        wanted = dict(part.split("=") for part in query.split("&"))
        owner, _, head = wanted.pop("head").partition(":")
        assert owner == REPOSITORY.partition("/")[0]
        for pull in pulls:
            if {**wanted, "head": head}.items() <= pull.items():
                print(pull["number"])
    elif asked.method == "POST":
        assert given.keys() == {"title", "body", "head", "base"}
        pulls.append({"number": 1 + len(pulls), "state": "open", **given})
    else:
        [pull] = [pull for pull in pulls if asked.path.endswith(f"/pulls/{pull['number']}")]
        pull.update(given)


def _body(field: str) -> str:
    name, _, value = field.partition("=")
    assert name == "body"
    body = Path(value.removeprefix("@")).read_text(encoding="utf-8") if value.startswith("@") else value
    if len(body) > _MOST:
        sys.exit("gh: Validation Failed (HTTP 422): body is too long (maximum is 65536 characters)")
    return body


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
