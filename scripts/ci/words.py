"""What the steps of the workflows say: previews, policies, drift and the comment, from the JSON that pulumi, weir and gh print."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from os import environ
from pathlib import Path
from typing import Any

MARKER = "<!-- weir: preview of all stacks -->"
"""Finds the comment again; the last line, since mails show the first ones."""

MOST = 60_000
"""GitHub takes comments of up to 65,536 characters."""

_WORDS = 4_000
_HEAD = 300
_END = re.compile(r"\b(?:fault removed|drill(?: of route \S+)? ended): .*, until (\S+)$")
_BEGIN = re.compile(r"\bnew (?:fault|drill(?: of route \S+)?): .*, until (\S+)$")


def preview(stack: str, files: str, code: str) -> str:
    """The Markdown of a stack: what changes, what policies and weir say of it, or why there is no preview. FILES.json, .err and .events are Pulumi's."""
    policies = list(_policies(Path(f"{files}.events")))
    refused = [name for name, mandatory, _ in policies if mandatory]
    if code != "0" and not refused:
        return _no_preview(stack, failure(files))
    changes, why = _diff(stack, files, "markdown")
    if changes is None:
        return _no_preview(stack, why)
    head, *rest = changes.split("\n")
    if refused:
        head += f" – **refused** by {', '.join(f'`{name}`' for name in dict.fromkeys(refused))}"
    lines = [f"- {'❌' if mandatory else '⚠️'} `{name}`: {_line(message)}" for name, mandatory, message in policies]
    lines += [f"- ❌ {_line(text)}" for text in _errors(files)] + [f"- ⚠️ {_line(text)}" for text in _diagnostics(files, "warning")]
    return "\n".join([head, *(["", *lines] if lines else []), *rest])


def _diff(stack: str, files: str, form: str) -> tuple[str | None, str]:
    """What `weir diff` says of a preview, and why it says nothing."""
    command = ["weir", "diff", "--stack", stack, "--preview", f"{files}.json", "--format", form]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (None if done.returncode else done.stdout.strip()), done.stderr.strip()


def _line(text: str) -> str:
    return " ".join(text.split())


def _no_preview(stack: str, why: str) -> str:
    first = why.split("\n", 1)[0].replace("`", "'")[:_HEAD]
    longest = max((len(run) for run in re.findall("`+", why)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join(
        [f"**{stack}**: no preview: `{first}`", "", "<details><summary>Why</summary>", "", f"{fence}text", why, fence, "", "</details>"]
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
    return [text for text in _diagnostics(files, "error") if not text.startswith(("an unhandled error occurred", "preview failed"))]


def _diagnostics(files: str, severity: str) -> list[str]:
    """What the preview says of this severity, each text once."""
    texts = [str(entry["message"]).strip() for entry in _document(files).get("diagnostics", []) if entry.get("severity") == severity]
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
        texts[stack] = file.read_text(encoding="utf-8").strip() if file.exists() else f"**{stack}**: no preview: {link} says why"
    room = MOST - len(foot) - 4 * (len(texts) + 1)
    # Short ones first: what they leave is for the long ones.
    for left, stack in zip(range(len(texts), 0, -1), sorted(texts, key=lambda stack: len(texts[stack])), strict=True):
        texts[stack] = _cut(texts[stack], room // left, link)
        room -= len(texts[stack])
    return "\n\n".join([*texts.values(), foot])


def _cut(text: str, most: int, link: str) -> str:
    """The whole lines that fit; what the last of them leaves open is closed."""
    if len(text) <= most:
        return text
    end = f"\n\n</details>\n\n… and more, which {link} has"
    lines = text[: most - len(end) - 10].split("\n")[:-1]
    fences = [line for line in lines if re.fullmatch("`{3,}(text)?", line)]
    if len(fences) % 2:
        lines.append(fences[-1].removesuffix("text"))
    return "\n".join(lines) + (end if "<details>" in text else end.replace("\n\n</details>", ""))


def find(author: str) -> str:
    """The id of the author's comment with the marker among the pages of comments on stdin; empty when there is none."""
    for page in json.load(sys.stdin):
        for entry in page:
            if MARKER in (entry.get("body") or "") and (entry.get("user") or {}).get("login") == author:
                return str(entry["id"])
    return ""


def drift(stack: str, directory: str, code: str) -> str:
    """How the cluster differs from the config; empty when it does not. DIRECTORY has status.json, and STACK.json and .err of a preview after a refresh.

    A drill under way is no drift: it has an end of its own.
    """
    lines = []
    for service in _services(f"{directory}/status.json"):
        if not service["inCluster"]:
            lines.append(f"{service['name']}: not in the cluster")
        lines += [f"{service['name']}: {line}" for line in service["drift"] if not _under_way(line)]
    if lines:
        lines.insert(0, "the cluster differs from the config:")
    files = f"{directory}/{stack}"
    told = (_diff(stack, files, "text")[0] or "").removeprefix("nothing changes").split("\n")
    # A change that has no words, such as a label, is at least named.
    changes = [line for line in told if line and not _under_way(line)] if any(told) else list(_objects(files))
    if changes:
        lines += ["an update would do this:", *changes]
    if lines and code != "0":
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
    told, why = _diff(stack, files, "json")
    if told is None:
        return why
    changes = json.loads(told)
    lines = [f"{name}: {line}" for name, lines in changes["services"].items() for line in lines if not _ends(line)]
    lines += [f"{count} {kind} {done}" for kind, ops in changes["others"].items() for done, count in ops.items()]
    # Some changes have no words; of a rule whose faults end, those are the words.
    rules = tuple(f"VirtualService {name}: update" for name in changes["services"])
    return "\n".join(lines or [each for each in _objects(files) if not each.startswith(rules)])


def _ends(line: str) -> bool:
    """Whether the line of a change says that a fault goes whose end has passed."""
    found = _END.search(line)
    return found is not None and _past(found[1])


def _under_way(line: str) -> bool:
    """Whether the line of a difference is about a fault that will end."""
    found = _END.search(line) or _BEGIN.search(line)
    return found is not None and not _past(found[1])


def _past(moment: str) -> bool:
    return datetime.fromisoformat(moment) <= datetime.now(UTC)


def _services(status: str) -> list[dict[str, Any]]:
    services: list[dict[str, Any]] = json.loads(Path(status).read_text(encoding="utf-8"))["services"]
    return services


_COMMANDS: dict[str, Callable[..., str]] = {each.__name__: each for each in (preview, failure, comment, find, drift, ended, more)}

if __name__ == "__main__":
    _, name, *arguments = sys.argv
    text = _COMMANDS[name](*arguments)
    if text:
        print(text)
