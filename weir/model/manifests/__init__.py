"""Plain Kubernetes and Istio objects from the resolved traffic, and back; account and roles; outputs."""
