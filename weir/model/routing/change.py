"""One difference in the traffic or the pods of a service: a line for people that is data for programs."""

from __future__ import annotations

from typing import Any


class Change(str):
    """The line, and what it is made of: text wherever text is shown, and never to be taken apart again.

    `kind` is what differs, mostly a key of the config; `route` and `version` are None where it is about none; `before` and `after` are plain
    values as JSON has them, None where there is none, or none that may be shown.
    """

    kind: str
    route: str | None
    version: str | None
    before: Any
    after: Any

    def __new__(
        cls, text: str, kind: str, *, route: str | None = None, version: str | None = None, before: Any = None, after: Any = None
    ) -> Change:
        """Of the line, and the data."""
        made = super().__new__(cls, text)
        made.kind, made.route, made.version, made.before, made.after = kind, route, version, before, after
        return made

    def on(self, route: str, where: str) -> Change:
        """The same as a change of a route, its line behind the words for that."""
        return Change(where + self, self.kind, route=route, version=self.version, before=self.before, after=self.after)

    def data(self) -> dict[str, Any]:
        """For programs; keys are only ever added."""
        return {
            "kind": self.kind,
            "route": self.route,
            "version": self.version,
            "before": self.before,
            "after": self.after,
            "text": str(self),
        }
