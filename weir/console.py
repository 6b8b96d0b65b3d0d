"""The only console that weir prints on, and its texts: rich's, with what comes from outside made visible."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any, cast

from rich.console import Console as RichConsole
from rich.console import ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text as RichText

from weir.visible import visible


class Text(RichText):
    """rich's text, visible before it is measured: an escape is longer than what it stands for."""

    def __init__(self, text: str = "", *arguments: Any, **options: Any) -> None:
        super().__init__(visible(text), *arguments, **options)


class Console(RichConsole):
    """rich's console, without its markup in texts. Whatever is drawn on it passes `render`: there nothing can be
    forgotten.
    """

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, markup=False, emoji=False)

    @property
    def file(self) -> IO[str]:
        """The stream itself, for what rich draws with: a live display puts one more of rich's own between, of which
        rich takes off one.
        """
        file: Any = super().file
        while hasattr(file, "rich_proxied_file"):
            file = file.rich_proxied_file
        return cast("IO[str]", file)

    @file.setter
    def file(self, new: IO[str]) -> None:
        self._file = new

    def render_str(self, text: str, **options: Any) -> RichText:
        """Text of rich's own making, such as a cell of a table."""
        return super().render_str(visible(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        """As rich renders it, but for the characters that no screen shows."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=visible(segment.text))
