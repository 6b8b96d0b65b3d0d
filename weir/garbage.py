"""Python's search for garbage, spared where next to none is made."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def kept() -> Iterator[None]:
    """What is made inside stays until the process ends, such as imported modules: it is not searched for garbage, now
    or later. The gain is in decision 0027.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
