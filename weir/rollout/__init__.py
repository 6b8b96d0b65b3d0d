"""A rollout: the steps of a version from no requests to all of them, its state, its decisions."""
