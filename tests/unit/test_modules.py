"""Modules: imports inside functions say why they stand there, and none is long."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = [
    file for room in ("weir", "components", "policy", "lab", "scripts") for file in sorted((ROOT / room).rglob("*.py"))
]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_an_import_inside_a_function_has_its_reason_beside_it(file: Path) -> None:
    """A comment stands in the function, before its first import or on the line of one."""
    text = file.read_text()
    lines = text.split("\n")
    for function in ast.walk(ast.parse(text)):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        imports = [each.lineno for each in ast.walk(function) if isinstance(each, ast.Import | ast.ImportFrom)]
        if imports:
            before = lines[function.lineno : min(imports)]
            assert any("#" in line for line in (*before, *(lines[number - 1] for number in imports))), (
                f"{file}:{min(imports)}"
            )


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_module_is_short(file: Path) -> None:
    """At most 300 lines: one idea. What is made from the model has as many as that has keys."""
    assert file.name == "args.py" or len(file.read_text().splitlines()) <= 300
