"""What the steps of the workflows say: previews, policies, drift and the comment, from the JSON that pulumi, weir and
gh print.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from os import environ
from pathlib import Path
from typing import Any

from weir.markdown import block, code
from weir.visible import visible

MARKER = "<!-- weir: preview of all stacks -->"
"""Finds the comment again; the last line, since mails show the first ones."""

MOST = 60_000
"""GitHub takes comments of up to 65,536 characters."""

_WORDS = 4_000
_HEAD = 300


def preview(stack: str, files: str, exit_code: str) -> str:
    """The Markdown of a stack: what changes, what policies and weir say of it, or why there is no preview. FILES.json,
    .err and .events are Pulumi's.
    """
    policies = list(_policies(Path(f"{files}.events")))
    refused = [name for name, mandatory, _ in policies if mandatory]
    if exit_code != "0" and not refused:
        return _no_preview(stack, failure(files))
    changes, why = _diff(stack, files, "markdown")
    if changes is None:
        return _no_preview(stack, why)
    head, *rest = changes.split("\n")
    if refused:
        head += f" – **refused** by {', '.join(code(name) for name in dict.fromkeys(refused))}"
    lines = [f"- {'❌' if mandatory else '⚠️'} {code(name)}: {_line(message)}" for name, mandatory, message in policies]
    lines += [f"- ❌ {_line(text)}" for text in _errors(files)]
    lines += [f"- ⚠️ {_line(text)}" for text in _diagnostics(files, "warning")]
    return "\n".join([head, *(["", *lines] if lines else []), *rest])


def _diff(stack: str, files: str, form: str) -> tuple[str | None, str]:
    """What `weir diff` says of a preview, and why it says nothing."""
    command = ["weir", "diff", "--stack", stack, "--preview", f"{files}.json", "--format", form]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (None if done.returncode else done.stdout.strip()), done.stderr.strip()


def _line(text: str) -> str:
    return code(" ".join(text.split()))


def _no_preview(stack: str, why: str) -> str:
    first, *more = [line for line in why.split("\n") if line.strip()] or ["nobody says why"]
    head = f"**{code(stack)}**: no preview: {code(first, _HEAD)}"
    if not more and len(first) <= _HEAD:
        return head
    # A line each: wherever the comment has to be cut, no block is left open.
    return "\n".join(
        [
            head,
            "",
            "<details><summary>Why</summary>",
            "",
            *(f"- {code(line)}" for line in (first, *more)),
            "",
            "</details>",
        ]
    )


def _policies(events: Path) -> Iterator[tuple[str, bool, str]]:
    """Each violation once: the policy, whether it refuses, what it says."""
    seen = set()
    for line in events.read_text(encoding="utf-8").splitlines() if events.exists() else ():
        event = json.loads(line).get("policyEvent")
        if event:
            # Its description comes first, and is the same for whatever it finds.
            _, _, found = event["message"].strip().partition("\n")
            told = (event["policyName"], event["enforcementLevel"] == "mandatory", found or event["message"])
            if told not in seen:
                seen.add(told)
                yield told


def failure(files: str) -> str:
    """Why a preview failed, in the words of the program or of Pulumi: FILES.json and FILES.err."""
    told = (
        _errors(files)
        or _diagnostics(files, "info#err")
        or [Path(f"{files}.err").read_text(encoding="utf-8").strip() or "pulumi said nothing"]
    )
    text = "\n".join(told)
    return text if len(text) <= _WORDS else f"{text[:_WORDS]}\n… the rest is in the log of the run"


def _errors(files: str) -> list[str]:
    # That the program ended is no reason; what it wrote before that is.
    return [
        text
        for text in _diagnostics(files, "error")
        if not text.startswith(("an unhandled error occurred", "preview failed"))
    ]


def _diagnostics(files: str, severity: str) -> list[str]:
    """What the preview says of this severity, each text once."""
    texts = [
        str(entry["message"]).strip()
        for entry in _document(files).get("diagnostics", [])
        if entry.get("severity") == severity
    ]
    return list(dict.fromkeys(text.removeprefix(f"{severity}: ") for text in texts))


def comment(directory: str, *stacks: str) -> str:
    """The text of the comment, from DIRECTORY/STACK.md in the order of the stacks."""
    server, repository, run = (environ.get(f"GITHUB_{name}", "") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID"))
    link = f"[the run]({server}/{repository}/actions/runs/{run})" if run else "the run"
    sha = environ.get("COMMIT", "")[:7]
    foot = f"<sub>{f'of {sha}; ' if sha else ''}{link}</sub>\n{MARKER}"
    texts = {}
    for stack in stacks:
        file = Path(directory) / f"{stack}.md"
        texts[stack] = (
            file.read_text(encoding="utf-8").strip()
            if file.exists()
            else f"**{code(stack)}**: no preview: {link} says why"
        )
    room = MOST - len(foot) - 4 * (len(texts) + 1)
    # Short ones first: what they leave is for the long ones.
    for left, stack in zip(range(len(texts), 0, -1), sorted(texts, key=lambda stack: len(texts[stack])), strict=True):
        texts[stack] = _cut(texts[stack], room // left, link)
        room -= len(texts[stack])
    return "\n\n".join([*texts.values(), foot])


def _cut(text: str, most: int, link: str) -> str:
    """The whole lines that fit; a fold that the last of them leaves open is closed. Each line stands for itself:
    values are code spans in it.
    """
    if len(text) <= most:
        return text
    end = f"… and more, which {link} has"
    lines = text[: most - len(end) - 20].split("\n")[:-1]
    closing = ["", "</details>"] if any(line.startswith("<details>") for line in lines) else []
    return "\n".join([*lines, *closing, "", end])


def find(author: str) -> str:
    """The id of the author's comment with the marker among the pages of comments on stdin; empty when there is none."""
    for page in json.load(sys.stdin):
        for entry in page:
            if MARKER in (entry.get("body") or "") and (entry.get("user") or {}).get("login") == author:
                return str(entry["id"])
    return ""


def drift(stack: str, directory: str, exit_code: str) -> str:
    """How the cluster differs from the config; empty when it does not. DIRECTORY has status.json, and STACK.json and
    .err of a preview after a refresh.

    A drill under way is no drift: it has an end of its own.
    """
    lines = []
    for service in _services(f"{directory}/status.json"):
        if not service["inCluster"]:
            lines.append(f"{service['name']}: not in the cluster")
        lines += [f"{service['name']}: {change['text']}" for change in service["differences"] if not _under_way(change)]
    if lines:
        lines.insert(0, "the cluster differs from the config:")
    files = f"{directory}/{stack}"
    told = _changes(stack, files)
    # A change that has no words, such as a label, is at least named.
    changes = [*told.lines(lambda change: not _under_way(change)), *told.others] if told.any else list(_objects(files))
    if changes:
        lines += ["an update would do this:", *changes]
    if lines and exit_code != "0":
        lines += ["and would fail:", failure(files)]
    return "\n".join(lines)


def _objects(files: str) -> Iterator[str]:
    """Each object that a preview changes, and which parts of it."""
    for step in _document(files).get("steps", []):
        kind, name = step["urn"].split("::")[-2:]
        # The provider is no object of the cluster, and a component is none either.
        if step["op"] not in ("same", "refresh", "read") and kind.rpartition("$")[2].startswith("kubernetes:"):
            parts = ", ".join(step.get("detailedDiff") or {})
            yield f"{kind.rpartition(':')[2]} {name}: {step['op']}{f' of {parts}' if parts else ''}"


def _document(files: str) -> dict[str, Any]:
    """The preview in FILES.json; empty when pulumi ended before it wrote one."""
    try:
        content: dict[str, Any] = json.loads(Path(f"{files}.json").read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError):
        return {}
    return content


def ended(status: str) -> str:
    """The faults in force whose end has passed; empty when there are none."""
    return "\n".join(
        f"{service['name']}: route {fault['route']}: {fault['fault']}"
        for service in _services(status)
        for fault in service["faults"]
        if fault["until"] and _past(fault["until"])
    )


def more(stack: str, files: str) -> str:
    """What an update would do beside ending faults whose end has passed; empty when nothing."""
    told = _changes(stack, files)
    if told.why:
        return told.why
    lines = [*told.lines(lambda change: not _ends(change)), *told.others]
    # Some changes have no words; of a rule whose faults end, those are the words.
    rules = tuple(f"VirtualService {name}: update" for name in told.services)
    return "\n".join(lines or [each for each in _objects(files) if not each.startswith(rules)])


@dataclass(frozen=True)
class _Told:
    """What `weir diff` says of a preview, as data: the changes by service, counts of other objects in words, or why it
    says nothing.
    """

    services: Mapping[str, list[dict[str, Any]]]
    others: Sequence[str]
    why: str = ""

    @property
    def any(self) -> bool:
        return bool(self.services or self.others)

    def lines(self, wanted: Callable[[Mapping[str, Any]], bool]) -> list[str]:
        """The words of the changes that are wanted."""
        return [f"{name}: {each['text']}" for name, told in self.services.items() for each in told if wanted(each)]


def _changes(stack: str, files: str) -> _Told:
    said, why = _diff(stack, files, "json")
    if said is None:
        return _Told({}, (), why)
    document = json.loads(said)
    return _Told(
        document["details"],
        [f"{count} {kind} {done}" for kind, ops in document["others"].items() for done, count in ops.items()],
    )


def _ends(change: Mapping[str, Any]) -> bool:
    """Whether a fault goes whose end has passed."""
    return change["after"] is None and _until(change, "before", past=True)


def _under_way(change: Mapping[str, Any]) -> bool:
    """Whether it is a fault that is there on one side alone, and will end."""
    return (change["after"] is None and _until(change, "before", past=False)) or (
        change["before"] is None and _until(change, "after", past=False)
    )


def _until(change: Mapping[str, Any], side: str, past: bool) -> bool:
    """Whether the change is about a fault that on this side has an end, which has passed or has not."""
    if change["kind"] not in ("fault", "drill"):
        return False
    end = (change[side] or {}).get("until")
    return end is not None and _past(end) == past


def _past(moment: str) -> bool:
    return datetime.fromisoformat(moment) <= datetime.now(UTC)


def _services(status: str) -> list[dict[str, Any]]:
    return list(json.loads(Path(status).read_text(encoding="utf-8"))["services"])


def fenced() -> str:
    """What is read, as a block of code that nothing in it ends: for the page of a run."""
    return block(sys.stdin.read().rstrip("\n"))


_COMMANDS: dict[str, Callable[..., str]] = {
    each.__name__: each for each in (preview, failure, comment, find, drift, ended, more, fenced)
}

if __name__ == "__main__":
    if text := _COMMANDS[sys.argv[1]](*sys.argv[2:]):
        print(visible(text))
