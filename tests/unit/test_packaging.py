"""The wheel: what is in it, what it stands on, and what its commands say without the lab."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).resolve().parents[2]
RUNTIME = ("weir", "components", "lab", "policy", "__main__.py")
LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "build", "*.egg-info")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of a copy of the checkout: setuptools builds in the directory it is given."""
    directory = tmp_path_factory.mktemp("wheel")
    shutil.copytree(ROOT, directory / "source", ignore=LEFT_OUT)
    _pip("wheel", "--no-build-isolation", "--wheel-dir", str(directory), str(directory / "source"))
    [built] = directory.glob("weir-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the wheel installed in it."""
    target = tmp_path_factory.mktemp("installed")
    _pip("install", "--target", str(target), str(wheel))
    return target


def _pip(*arguments: str) -> None:
    options = ("--quiet", "--disable-pip-version-check", "--no-index", "--no-deps")
    subprocess.run([sys.executable, "-m", "pip", *arguments, *options], check=True, timeout=120)


def _python(installed: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Run code on the installed wheel. Without `site` nothing puts the checkout on the path."""
    paths = f"import sys; sys.path[:0] = {[str(installed), sysconfig.get_path('purelib')]!r}; "
    return subprocess.run(
        [sys.executable, "-S", "-c", paths + code],
        cwd=installed,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_wheel_has_the_library_and_nothing_else(wheel: Path) -> None:
    """Every file of weir and components, typed; no lab, no policy pack, no test."""
    names = {name for name in ZipFile(wheel).namelist() if ".dist-info/" not in name}
    wanted = {
        str(file.relative_to(ROOT))
        for package in ("weir", "components")
        for file in (ROOT / package).rglob("*")
        if file.suffix == ".py" or file.name == "py.typed"
    }
    assert names == wanted
    assert {"weir/py.typed", "components/py.typed"} <= names


def test_what_is_installed_can_be_imported(installed: Path) -> None:
    """The components and the command come from the wheel, and the lab is not there."""
    done = _python(
        installed,
        "import components.mesh_service, weir.cli, importlib.util as found;"
        "print(components.__file__, weir.cli.__file__, found.find_spec('lab'))",
    )
    components, command = (installed / package / "__init__.py" for package in ("components", "weir/cli"))
    assert done.stdout == f"{components} {command} None\n", done.stderr


@pytest.mark.parametrize("arguments", ["lab up", "env", "quickstart"])
def test_without_the_lab_its_commands_say_what_to_do(installed: Path, arguments: str) -> None:
    """One line on stderr and exit code 1."""
    done = _python(installed, f"sys.argv = {['weir', *arguments.split()]!r}; from weir.cli import main; main()")
    assert done.returncode == 1
    assert done.stdout == ""
    command = arguments.split()[0]
    assert re.fullmatch(
        rf"weir {command} needs the lab, .* run it in a checkout \(make up\), or use a cluster of your own.*\n",
        done.stderr,
    )


def test_without_the_lab_the_other_commands_work(installed: Path) -> None:
    """`weir check` reads a stack file."""
    file = ROOT / "Pulumi.dev.yaml"
    done = _python(
        installed, f"sys.argv = ['weir', 'check', '--file', {str(file)!r}]; from weir.cli import main; main()"
    )
    assert done.returncode == 0, done.stderr


def test_the_program_imports_every_dependency() -> None:
    """What only tests need is in the extra `dev`."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    distributions = packages_distributions()
    imported = {_normal(distribution) for name in _imports() for distribution in distributions.get(name, ())}
    assert {_normal(re.split(r"[><=]", each)[0]) for each in declared} <= imported


def _normal(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def _imports() -> set[str]:
    """The top-level packages that the program, the command, the lab and the policy pack import."""
    files = [
        file for part in RUNTIME for file in ([ROOT / part] if part.endswith(".py") else (ROOT / part).rglob("*.py"))
    ]
    found: set[str] = set()
    for node in (node for file in files for node in ast.walk(ast.parse(file.read_text()))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found
