"""The hooks ask the cluster without holding up, or being held up by, what else the program waits for."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pulumi
import pytest

from components.safeguards import Safeguards
from weir.model import load


def test_a_question_is_asked_though_every_thread_waits_for_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each resource under way holds a thread of the event loop until its hooks have answered: with a thousand of them none would be left."""
    # There is no engine to register the hooks with; the question alone is of interest.
    for name in ("ResourceHook", "ErrorHook"):
        monkeypatch.setattr(pulumi, name, lambda *_: None)
    guard = Safeguards(load({"namespace": "demo"}))
    engine = threading.Event()

    async def asked() -> str:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(2))
        registering = [loop.run_in_executor(None, engine.wait) for _ in range(5)]
        try:
            return await asyncio.wait_for(guard._ask(lambda: "answered", "not answered"), timeout=10)
        finally:
            engine.set()
            await asyncio.gather(*registering)

    assert asyncio.run(asked()) == "answered"
