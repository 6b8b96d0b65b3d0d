"""The container images that run in the lab, written without a container engine."""
