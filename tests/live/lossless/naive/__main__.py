"""What people write: Deployments, one DestinationRule with all subsets, a VirtualService, and no word about their
order.
"""

import json

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.apps.v1 import Deployment
from pulumi_kubernetes.core.v1 import Namespace, Service

config = pulumi.Config()
image = config.require("image")
weights: dict[str, int] = json.loads(config.require("weights"))
namespace = "naive"
host = f"backend.{namespace}.svc.cluster.local"

place = Namespace(namespace, metadata={"name": namespace, "labels": {"istio-injection": "enabled"}})
opts = pulumi.ResourceOptions(depends_on=[place])

Service(
    "backend",
    metadata={"name": "backend", "namespace": namespace},
    spec={"selector": {"app": "backend"}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]},
    opts=opts,
)
for version in weights:
    labels = {"app": "backend", "version": version}
    arguments = [
        "server",
        "-http-port=8080",
        *(f"-{name}-port=disabled" for name in ("redirect", "tcp", "udp", "grpc")),
    ]
    container = {
        "name": "backend",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": arguments,
        "ports": [{"containerPort": 8080}],
    }
    Deployment(
        f"backend-{version}",
        metadata={"name": f"backend-{version}", "namespace": namespace},
        spec={
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
        opts=opts,
    )
CustomResource(
    "rule",
    api_version="networking.istio.io/v1",
    kind="DestinationRule",
    metadata={"name": "backend", "namespace": namespace},
    spec={"host": host, "subsets": [{"name": version, "labels": {"version": version}} for version in weights]},
    opts=opts,
)
CustomResource(
    "route",
    api_version="networking.istio.io/v1",
    kind="VirtualService",
    metadata={"name": "backend", "namespace": namespace},
    spec={
        "hosts": [host],
        "http": [
            {
                "retries": {"attempts": 0},
                "route": [
                    {"destination": {"host": host, "subset": version}, "weight": weight}
                    for version, weight in weights.items()
                ],
            }
        ],
    },
    opts=opts,
)
