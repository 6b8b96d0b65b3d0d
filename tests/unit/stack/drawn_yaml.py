"""Stack files drawn in every style that YAML has: the tree first, then a text that says it, with comments wherever
there can be some.

`common` is what people write and what Pulumi writes: blocks, one-line and many-line flow, quotes, indentation, blank
lines, comments, CRLF, a byte order mark, document markers, no newline at the end, JSON text. Without it there are
anchors, aliases, merges, tags, explicit keys and texts in lines as well. Knows nothing of weir.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from random import Random
from typing import Any

SERVICES = ("web", "api", "shop")
VERSIONS = ("v1", "v2", "v3", "v4", "2", "on", "1.0", "v-5")
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9-]*|[0-9]+")
_REMARKS = (
    "",
    " watched by sre",
    " v2: 20",
    " {",
    " }, *x &y",
    " it's \"",
    "\ttab\t#",
    " ü 😀",
    " canary: {v2: 1}",
    " --- ",
    " 'open",
)
_TEXTS = (
    "one",
    "it's # no comment",
    "a: b",
    "{v2: 20}",
    "canary: {v2: 20}",
    "# no",
    "two\nlines\n",
    "x: 1\n# y\n\nz",
    "",
    "&a *b",
    "20",
    "~",
)


@dataclass(frozen=True)
class Drawn:
    """A tree, a text that says it, and the comments in it, each once."""

    tree: dict[str, Any]
    text: str
    comments: list[str]

    def plain_tree(self) -> Any:
        """The tree, and for JSON text of services what it says."""
        tree = json.loads(json.dumps(self.tree))
        if isinstance(services := tree["config"]["weir:services"], str):
            tree["config"]["weir:services"] = json.loads(services)
        return tree


def draw(random: Random, *, common: bool) -> Drawn:
    tree = {"config": _config(random, common)}
    pen = _Pen(random, common, tabs=random.random() < 0.3)
    lines = pen.block(tree, 0)
    if pen.chance(0.2):
        lines = [pen.remark().strip(), *lines]
    if pen.chance(0.15):
        lines = ["---" + pen.remark(), *lines, *(["..."] if pen.chance(0.5) else [])]
    text = "\n".join(lines) + ("" if pen.chance(0.2) else "\n" * random.choice((1, 1, 2)))
    if pen.chance(0.2):
        text = text.replace("\n", "\r\n")
    return Drawn(tree, "\ufeff" + text if pen.chance(0.1) else text, sorted(pen.comments, key=text.index))


def _config(random: Random, common: bool) -> dict[str, Any]:
    canaries: list[Any] = [
        {
            random.choice(VERSIONS[1:]): random.choice((20, 0, 0.5, 100, "20"))
            for _ in range(random.choice((1, 1, 2, 3)))
        }
        for _ in range(2)
    ]
    services: Any = {}
    for name in random.sample(SERVICES, random.choice((1, 2, 3))):
        service: dict[str, Any] = {"stable": random.choice(VERSIONS)}
        if random.random() < 0.8:
            service["canary"] = random.choice((*canaries, *canaries, {}, None))
        if random.random() < 0.3:
            service["drill"] = {"delay": {"percentage": 50, "fixedDelay": "3s"}, "until": "2026-11-25T14:00:00Z"}
        if random.random() < 0.6:
            service["versions"] = {version: {"args": [random.choice(_TEXTS)]} for version in random.sample(VERSIONS, 2)}
        if random.random() < 0.6:
            service["port"] = 80
        if random.random() < 0.4:
            service["env"] = {"A": random.choice(_TEXTS), "stable": random.choice(_TEXTS)}
        keys = random.sample(list(service), len(service))
        services[name] = {key: service[key] for key in keys}
    if random.random() < 0.15:
        services = json.dumps(
            services, indent=random.choice((None, None, 2)), separators=random.choice((None, (",", ":")))
        )
    config: dict[str, Any] = {"weir:namespace": "demo", "weir:services": services, "other:text": random.choice(_TEXTS)}
    if not common and isinstance(services, dict):
        base = random.choice(list(services.values()))
        part = {key: base[key] for key in random.sample(list(base), random.randint(0, len(base)))}
        config = {"other:base": random.choice((part, canaries[0], {"part": part})), **config}
    keys = random.sample(list(config), len(config)) if common else list(config)
    return {key: config[key] for key in keys}


@dataclass
class _Pen:
    random: Random
    common: bool
    tabs: bool = False
    """Tabs between things: YAML's grammar in C takes them, those in Python do not, and that in C takes no anchor twice
    in turn.
    """
    comments: list[str] = field(default_factory=list)
    anchors: dict[str, Any] = field(default_factory=dict)
    begun: dict[str, int] = field(default_factory=dict)
    named_so_far: int = 0

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def odd(self, share: float) -> bool:
        return not self.common and self.chance(share)

    def remark(self, share: float = 0.25) -> str:
        """A comment with the blanks before it, or nothing."""
        blanks: str = self.random.choice((" ", "  ", *(("\t", " \t") if self.tabs else ())))
        if not self.chance(share):
            return blanks if self.chance(0.25) else ""
        self.comments.append(f"#{len(self.comments):03}{self.random.choice(_REMARKS)}".rstrip())
        return blanks + self.comments[-1]

    def block(self, mapping: dict[str, Any], indent: int) -> list[str]:
        lines: list[str] = []
        margin = " " * indent
        for key, value in self.entries(mapping):
            if self.chance(0.1):
                lines.append(self.random.choice(("", "  ")))
            if remark := self.remark(0.15).strip():
                lines.append(self.random.choice((margin, margin, "", margin + "  ")) + remark)
            name = self.text(key, key=True)
            opening = (
                f"{margin}? {name}{self.remark()}\n{margin}:"
                if self.odd(0.05) and not self.tabs
                else f"{margin}{name}:"
            )
            lines += f"{opening}{self.value(value, indent)}".split("\n")
        return lines

    def entries(self, mapping: dict[str, Any]) -> list[tuple[str, Any]]:
        """Its entries, some of them taken over from a mapping that has an anchor."""
        bases = [
            (name, base)
            for name, base in self.anchors.items()
            if isinstance(base, dict) and base and base.keys() <= mapping.keys()
        ]
        if not self.common and bases and self.chance(0.6):
            name, base = self.random.choice(bases)
            own = [
                (key, value)
                for key, value in mapping.items()
                if key not in base or not _same(base[key], value) or self.chance(0.2)
            ]
            own.insert(self.random.randint(0, len(own)), ("<<", _Alias(name)))
            return own
        return list(mapping.items())

    def value(self, value: Any, indent: int) -> str:
        """What stands behind a colon of a block, with the line break where it needs one."""
        gap = self.random.choice((" ", " ", "  ", "\t" if self.tabs else " "))
        if found := self.alias(value):
            return f"{gap}{found}{self.remark()}"
        if isinstance(value, dict) and value and self.chance(0.6):
            name, number = self.anchor(), self.named_so_far
            head = (f" {name}" if name else "") + (" !!map" if self.odd(0.05) else "") + self.remark()
            lines = self.block(value, indent + self.random.choice((2, 2, 2, 4, 3)))
            self.named(name, value, number)
            return "\n".join([head, *lines])
        if value is None and self.chance(0.4):
            return self.remark()
        if (
            isinstance(value, str)
            and value.strip()
            and not value.startswith((" ", "\n"))
            and ("\n" in value or self.odd(0.1))
            and self.chance(0.5)
        ):
            keep = "" if value.endswith("\n") else "-"
            margin = " " * (indent + self.random.choice((2, 4)))
            return f" |{keep}{self.remark()}\n" + "\n".join(
                margin + line if line else "" for line in value.removesuffix("\n").split("\n")
            )
        return f"{gap}{self.flow(value, indent + 1)}{self.remark()}"

    def flow(self, value: Any, indent: int) -> str:
        if found := self.alias(value):
            return f"{found} "
        name, number = self.anchor(), self.named_so_far
        text = (f"{name} " if name else "") + self.tagged(value, indent)
        self.named(name, value, number)
        return text

    def tagged(self, value: Any, indent: int) -> str:
        if isinstance(value, dict):
            return self.items(
                [f"{self.text(key, key=True)}: {self.flow(entry, indent)}" for key, entry in self.entries(value)],
                "{}",
                indent,
            )
        if isinstance(value, list):
            return self.items([self.flow(entry, indent) for entry in value], "[]", indent)
        if isinstance(value, str):
            return ("!!str " if self.odd(0.1) else "") + self.text(value)
        if value is None:
            return self.random.choice(("null", "~"))
        return ("!!int " if isinstance(value, int) and self.odd(0.1) else "") + str(value)

    def items(self, items: list[str], marks: str, indent: int) -> str:
        if not items or self.chance(0.7):
            pad = self.random.choice(("", "", " "))
            comma = self.random.choice((", ", ", ", " , ", ",  "))
            end = "," if items and self.odd(0.1) else ""
            return marks[0] + pad + comma.join(items) + end + pad + marks[1]
        margin = "\n" + " " * (indent + 2)
        *firsts, last = items
        inside = "".join(f"{margin}{item},{self.remark()}" for item in firsts)
        return f"{marks[0]}{self.remark()}{inside}{margin}{last}{self.random.choice(('', ','))}{self.remark()}\n{' ' * indent}{marks[1]}"

    def text(self, value: str, key: bool = False) -> str:
        if isinstance(value, _Alias) or value == "<<":
            return value
        plain = bool(_PLAIN.fullmatch(value)) and (key or not value.isdigit())
        namespaced = key and bool(re.fullmatch(r"[a-z]+:[a-z]+", value))
        if self.tabs and value == "on":
            plain = False
        if (plain or namespaced) and self.chance(0.8):
            return value
        if self.chance(0.5) and "\n" not in value:
            return "'" + value.replace("'", "''") + "'"
        return json.dumps(value, ensure_ascii=self.chance(0.5))

    def anchor(self) -> str:
        if not self.odd(0.15):
            return ""
        self.named_so_far += 1
        name = f"a{self.named_so_far if self.tabs else self.random.randint(0, 9)}"
        self.anchors.pop(name, None)
        self.begun[name] = self.named_so_far
        return f"&{name}"

    def named(self, name: str, value: Any, number: int) -> None:
        """From here on it has the name, unless something inside of it has taken that over."""
        if name and self.begun[name[1:]] == number:
            self.anchors[name[1:]] = value

    def alias(self, value: Any) -> str:
        if isinstance(value, _Alias):
            return f"*{value}"
        names = [name for name, one in self.anchors.items() if _same(one, value)]
        return f"*{self.random.choice(names)}" if names and self.chance(0.7) else ""


class _Alias(str):
    """The name of an anchor in the place of a value."""


def _same(one: Any, other: Any) -> bool:
    return json.dumps(one) == json.dumps(other)
