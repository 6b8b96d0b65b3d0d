"""weir steers traffic between the versions of a service on Istio."""
