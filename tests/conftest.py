"""What all tests share."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

from tests.live import shared

# A run that a shell started in the background inherits an ignored SIGINT, and so would every command it starts: the
# tests of Ctrl-C want them as a terminal starts them.
signal.signal(signal.SIGINT, signal.default_int_handler)

# What an example takes by the clock says how busy the machine is.
settings.register_profile("weir", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("weir")

_NICE = 10


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Workers are given tests file by file, in order; all that share the lab go to one, as if they stood in one file.

    Not by --dist loadgroup: pytest-xdist 3.8 does not heed its groups with pytest 9.2.
    """
    config.option.loadscopereorder = False
    scheduling = LoadScopeScheduling(config, log)
    scheduling._split_scope = lambda nodeid: "the lab" if shared.shares_lab(nodeid) else nodeid.partition("::")[0]
    return scheduling


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A worker beside the one that has the lab lets that go first: there traffic is measured, and that is what a run
    waits for.
    """
    beside = shared.is_worker(item.config) and not shared.shares_lab(item.nodeid)
    if beside and os.nice(0) < _NICE and any(shared.shares_lab(other.nodeid) for other in item.session.items):
        os.nice(_NICE - os.nice(0))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """In a run of an hour a failure is told at once, and not lost with the end of one that is interrupted."""
    if os.environ.get("WEIR_SOAK") == "1" and call.excinfo and not call.excinfo.errisinstance(pytest.skip.Exception):
        reporter = item.config.pluginmanager.get_plugin("terminalreporter")
        if reporter:
            reporter.write_line(f"\n{item.nodeid}: {call.when}: {call.excinfo.exconly()[-8000:]}")


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> Iterator[None]:
    """The lab is removed by the main process, once there are no workers any more, whatever became of the run and of
    what fixtures undo.
    """
    try:
        yield
    finally:
        if not shared.is_worker(session.config) and (said := shared.remove()):
            session.config.get_terminal_writer().line(f"\n{said}")
