"""Whether a component is constructed alone, for a program that runs elsewhere (`components.package`)."""

from contextvars import ContextVar

CONSTRUCTED: ContextVar[bool] = ContextVar("constructed", default=False)
"""True where nothing is known of the program's other components, which the same process constructs at the same time."""
