"""Ten changes of a canary in one weir process, as a release makes them; prints the seconds of each as JSON. Arguments:
stack, steps.
"""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import redirect_stdout
from decimal import Decimal

from weir.cli.context import Context
from weir.cli.release import Release, release
from weir.engine.gate import Hold
from weir.model import Service
from weir.stack.edit import StackEdit


def change(stack: str, share: Decimal, *, verbose: bool = False, hold: Hold | None = None) -> None:
    """What `weir set backend v2=SHARE --yes` does once it runs; `hold`: holds its requests back, as a rollout does."""

    def edit(file: StackEdit, service: str, _: Service) -> None:
        file.set_canary(service, "v2", share)

    what = f"weir set backend v2={share}"
    release(Release(Context(stack, verbose=verbose), {"backend": edit}, what, yes=True, hold=hold))


def main() -> int:
    """What the changes and pulumi print goes to stderr."""
    stack, steps = sys.argv[1], int(sys.argv[2])
    stdout = os.dup(1)
    os.dup2(2, 1)
    seconds = []
    for number in range(steps):
        start = time.perf_counter()
        with redirect_stdout(sys.stderr):
            change(stack, Decimal(5 + 3 * number))
        seconds.append(time.perf_counter() - start)
    os.write(stdout, json.dumps(seconds).encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
