"""Sending requests from inside the mesh, counting who answered and judging the counts against the config."""
