"""What a cluster or Pulumi cannot do for a while is tried again: an abort above all must not fail for that."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from weir.errors import WeirError
from weir.rollout import record

_T = TypeVar("_T")

PATIENCE_SECONDS = 60.0
"""How long the cluster may fail to answer, or to take a version back, before a rollout is left as it is."""

_AGAIN_SECONDS = 1.0


def patiently(action: Callable[[], _T], tell: Callable[[str], None]) -> _T:
    """Do it, again and again where it cannot be done for a while. `tell`: told why not, once a reason. Raises the last
    WeirError; AnotherWroteError at once.
    """
    end, said = time.monotonic() + PATIENCE_SECONDS, ""
    while True:
        try:
            return action()
        except record.AnotherWroteError:
            raise
        except WeirError as error:
            if time.monotonic() >= end:
                raise
            if said != str(error):
                said = str(error)
                tell(f"{said}\nit is tried again for {PATIENCE_SECONDS:g} s")
        time.sleep(_AGAIN_SECONDS)
