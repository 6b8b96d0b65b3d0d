"""The embedded cluster: tools, node, images, Istio. Stands alone: imports nothing of weir."""
