"""Reads a stack file as the commands do, and does nothing else: `python -m tests.bench.read FILE`."""

import sys
from pathlib import Path

from weir.stack.stackfile import read

read(Path(sys.argv[1]))
