"""Stack files (Pulumi.STACK.yaml): finding them and reading the config of weir from them, without Pulumi."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from weir.errors import UsageError
from weir.secret import opaque
from weir.stack import yaml_reader

if TYPE_CHECKING:
    from weir.model.values.problems import Problem

SomeProblem = TypeVar("SomeProblem", bound="Problem")

PROJECT_FILE = "Pulumi.yaml"
_PREFIX = "weir:"


class StackFileError(UsageError):
    """A stack file that is not there, is not valid YAML, or has no config; the text says where and what to do."""


@dataclass(frozen=True, slots=True)
class StackFile:
    """A stack file that was read.

    `config` has the keys of the namespace `weir` without `weir:`, values as YAML gives them, unchecked, with a Secret
    for each `secure: …`.
    """

    path: Path
    config: dict[str, Any]
    document: yaml_reader.Document = field(repr=False, compare=False)

    def place(self, problems: Iterable[SomeProblem]) -> tuple[SomeProblem, ...]:
        """The same problems with `FILE:LINE:COLUMN` of the keys they are about, or of the nearest key above that is
        there.
        """
        return tuple(replace(problem, place=self._place(problem.path)) for problem in problems)

    def _place(self, path: tuple[str | int, ...]) -> str:
        shown = self.path.relative_to(Path.cwd()) if self.path.is_relative_to(Path.cwd()) else self.path
        top, *inside = path
        line, column = self.document.place(("config", f"{_PREFIX}{top}", *inside))
        return f"{shown}:{line}:{column}"


def project_dir(start: Path | None = None) -> Path:
    """The directory of Pulumi.yaml: `start` (the working directory) or the nearest above it. StackFileError if there
    is none.
    """
    start = (start or Path.cwd()).resolve()
    for directory in (start, *start.parents):
        if (directory / PROJECT_FILE).is_file():
            return directory
    raise StackFileError(
        f"no {PROJECT_FILE} in {start} or above it; change into the checkout of weir, or name a stack file with --file"
    )


def qualified(stack: str, project: Path) -> str:
    """`PROJECT/STACK`, as weir and Pulumi's backends write it, without the organization."""
    return (
        f"{yaml_reader.load((project / PROJECT_FILE).read_text(encoding='utf-8'))['name']}/{stack.rsplit('/', 1)[-1]}"
    )


def stack_path(stack: str, project: Path) -> Path:
    """The file of a stack, which may be given as `dev` or, as Pulumi prints it, `organization/weir/dev`.
    StackFileError names the stacks there are.
    """
    name = stack.rsplit("/", 1)[-1]
    path = project / f"Pulumi.{name}.yaml"
    if path.is_file():
        return path
    there = sorted(other.name.removeprefix("Pulumi.").removesuffix(".yaml") for other in project.glob("Pulumi.*.yaml"))
    choice = f"the stacks here are {', '.join(there)}" if there else f"there is no stack in {project}"
    raise StackFileError(f"no stack {name}: {path} does not exist; {choice}")


def read(path: Path, text: str | None = None) -> StackFile:
    """Read one stack file, or the text that is to stand in it. Raises StackFileError.

    What is wrong with the config itself is for `weir.model.validation.load` to say.
    """
    try:
        text = path.read_text(encoding="utf-8") if text is None else text
    except FileNotFoundError:
        raise StackFileError(f"{path}: no such file; check the name") from None
    except UnicodeDecodeError as error:
        raise StackFileError(f"{path}: is not text in UTF-8 (byte {error.start}); is it a stack file?") from None
    except OSError as error:
        raise StackFileError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        document = yaml_reader.document(text)
    except yaml_reader.NotYamlError as error:
        place = f"{path}:{error.line}:{error.column}"
        raise StackFileError(
            f"{place}: is not valid YAML: {error.problem}; correct it there, or on the lines before"
        ) from None
    tree = document.tree
    config = tree.get("config") if isinstance(tree, dict) else None
    if not isinstance(config, dict) or not config:
        raise StackFileError(
            f"{path}: has no config; it needs a key `config:` with keys such as `{_PREFIX}services:` below it"
        )
    bare = [key for key in config if ":" not in key]
    if bare:
        raise StackFileError(
            "\n".join(f"{path}: config key {key} has no namespace; write {_PREFIX}{key}" for key in bare)
        )
    return StackFile(
        path,
        {key.removeprefix(_PREFIX): opaque(value) for key, value in config.items() if key.startswith(_PREFIX)},
        document,
    )
