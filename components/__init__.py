"""The component resources of weir. They turn the plain objects of `weir.model` into Pulumi resources and fix the order between them."""
