"""The component resources of weir. They turn the plain objects of `weir.model` into Pulumi resources and fix the order between them."""

from weir.orphans import end_with_engine

# First of all: what is imported next takes a second, and an engine can be killed in it.
end_with_engine()
