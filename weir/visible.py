"""Text from outside as a screen may show it: whatever would steer the screen, or stand there unseen, is written as an
escape.

Commit titles, values of objects, and what pulumi, kubectl and pods say come from people whom nobody has checked. Raw,
an escape sequence of theirs rewrites lines of a terminal, and a bidi override turns a line round.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from typing import Any, TextIO, cast

UNSEEN = re.compile(
    # Control characters and C1 but for the line break and the tab; then those of Unicode's categories Cf (bidi, zero
    # width, tags), Cs, Zl, Zp.
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff0-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e00ff]"
)
"""What is escaped: one character that no screen shows as what it is."""

_BREAKS = re.compile("[\t\n]")


def visible(text: str) -> str:
    """The text with each such character as JSON escapes it, so that JSON stays the same JSON; line breaks and tabs
    stay.
    """
    return text if text.isascii() and text.isprintable() else UNSEEN.sub(_escaped, text)


def in_one_line(text: str) -> str:
    r"""The same with line breaks and tabs as \n and \t: a value must not break the line of a message."""
    return _BREAKS.sub(_escaped, visible(text))


def _escaped(found: re.Match[str]) -> str:
    # Imported here, because every command imports this module and few have anything to escape.
    import json

    character = found[0]
    return f"\\u{ord(character):04x}" if character == "\x7f" else json.dumps(character)[1:-1]


class Screen:
    """A stream on which nothing gets unseen: what is written to it comes out visible, whoever writes it."""

    def __init__(self, stream: TextIO) -> None:
        # rich writes escape sequences of its own, and takes this stream for them; weir.console makes visible what
        # stands between.
        self.rich_proxied_file = stream

    def write(self, text: str) -> int:
        """Write it; what counts is the length that was given."""
        self.rich_proxied_file.write(visible(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write them, one after the other."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        # click looks for the bytes below a stream, to write past it where the locale is not UTF-8.
        if name == "buffer":
            raise AttributeError(name)
        return getattr(self.rich_proxied_file, name)


def guard() -> None:
    """From now on nothing of this process reaches stdout or stderr raw."""
    sys.stdout, sys.stderr = (
        stream if isinstance(stream, Screen) else cast("TextIO", Screen(stream)) for stream in (sys.stdout, sys.stderr)
    )
