"""The node: one Kubernetes control plane and kubelet as supervised processes in namespaces of their own."""
