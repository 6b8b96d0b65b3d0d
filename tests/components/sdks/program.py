"""A program with the SDK of the component package."""

import pulumi
import pulumi_weir as weir

image = pulumi.Output.from_input("hashicorp/http-echo:1.0.0")
backend = weir.mesh.MeshService(
    "backend",
    namespace="demo",
    versions={"v1": {"image": image, "replicas": 2}, "v2": {"image": image}},
    stable="v1",
    canary={"v2": 20},
    retries={"attempts": 3, "per_try_timeout": "2s"},
)
pulumi.export("host", backend.host)
