"""What all tests share."""

from __future__ import annotations

import signal

# A run that a shell started in the background inherits an ignored SIGINT, and so would every command it starts: the tests of Ctrl-C
# want them as a terminal starts them.
signal.signal(signal.SIGINT, signal.default_int_handler)
