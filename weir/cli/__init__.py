"""The command `weir`: which commands there are, and how each of them ends.

Commands are imported when they are called: `weir --help` and a shell's completion must not wait for what one of them
needs.
"""

from __future__ import annotations

import errno
import importlib
import signal
import sys
from types import FrameType
from typing import NoReturn

import click

from weir import garbage
from weir.errors import WeirError
from weir.visible import guard

INTERRUPTED = 130

# Command → what `weir --help` says of it. Its module has the command's name and an object `command`.
COMMANDS = {
    "lab": "The embedded cluster: up, down, status.",
    "env": 'Settings of the lab for a shell: eval "$(weir env)".',
    "quickstart": "Lab, stack, measured traffic: what `make up` runs.",
    "check": "Check the config of a stack.",
    "render": "Print the manifests of a stack as YAML.",
    "schema": "Print the JSON Schema of the config, or its reference.",
    "status": "Configured and live traffic side by side, and what differs.",
    "set": "Move canaries: edit, show, ask, apply, wait for proxies.",
    "promote": "Make a canary the stable version.",
    "abort": "Set every canary to 0 %.",
    "rollout": "A version from 0 to 100 % by steps, back where it is worse.",
    "rollback": "Services as they were at an earlier update.",
    "drill": "A fault for a limited time that ends by itself.",
    "history": "Who changed the traffic, when, from what to what, and why.",
    "diff": "What an update would change in the traffic, in words.",
    "adopt": "Print the config of a service that runs already.",
    "rbac": "Print the account and roles that a stack needs.",
    "verify": "Send requests inside the mesh and judge the traffic.",
    "analyze": "Say from recorded counts whether a canary is worse.",
}

_NO_LAB = (
    "needs the lab, which is part of weir's repository and not of the installed package: run it in a checkout (make "
    "up), or use a cluster of your own, which needs no lab"
)


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        try:
            with garbage.kept():
                found: click.Command = importlib.import_module(f"weir.cli.{cmd_name}").command
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != "lab":
                raise
            raise WeirError(f"weir {cmd_name} {_NO_LAB}") from None
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(cls=_Commands)
@click.version_option(package_name="weir")
def cli() -> None:
    """Steer traffic between the versions of a service on Istio.

    Exit codes: 0 done; 1 an operation failed; 2 bad config or usage; 3 traffic is not what the config says, or an
    analysis said no; 130 interrupted.
    """


def main() -> NoReturn:
    """Run the command line; every error ends as a line or more on stderr that says what to do, and the exit code of
    its kind.
    """
    guard()
    # A terminated command cleans up as an interrupted one does.
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        sys.exit(cli.main(standalone_mode=False))
    except click.exceptions.Abort:
        _end("interrupted", INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except _errors() as error:
        _end(str(error), error.exit_code if isinstance(error, WeirError) else WeirError.exit_code)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _end(f"the disk is full: {error}. Free some space, then run the same command again.", WeirError.exit_code)


def _errors() -> tuple[type[Exception], ...]:
    """The errors with a message for the user: weir's, and the lab's where a command has imported the lab."""
    lab = sys.modules.get("lab.errors")
    return (WeirError, lab.LabError) if lab else (WeirError,)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _end(text: str, code: int) -> NoReturn:
    click.echo(text, err=True)
    sys.exit(code)
