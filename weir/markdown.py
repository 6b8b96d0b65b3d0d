"""Text from outside in Markdown: in code spans, which nothing in it can end, and in which nothing is markup, a person
or an image.
"""

from __future__ import annotations

import re

from weir.visible import in_one_line, visible


def code(text: str, most: int = 0) -> str:
    """The text in one line as a code span, cut to so many characters. GitHub links no @name, no #number and no commit
    in one.
    """
    shown = in_one_line(text)
    if most and len(shown) > most:
        shown = f"{shown[: most - 1]}…"
    fence = _longer(shown, 1)
    # One space at each end is taken away again where there is one at both; a span without anything in it is none.
    ends = f"{shown[:1]}{shown[-1:]}"
    pad = " " if not shown or "`" in ends or (ends == "  " and shown.strip(" ")) else ""
    return f"{fence}{pad}{shown}{pad if shown else ''}{fence}"


def block(text: str) -> str:
    """The text as it is, in a block of code that no line of it ends."""
    fence = _longer(text, 3)
    return f"{fence}text\n{visible(text)}\n{fence}"


def _longer(text: str, least: int) -> str:
    """Backticks, more than stand beside each other anywhere in the text."""
    return "`" * max(least, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
