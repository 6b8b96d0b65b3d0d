"""Two services in a program of one's own: pods that weir makes, and a Deployment of the program's own."""

import json

import pulumi
from pulumi_kubernetes.apps.v1 import Deployment
from pulumi_kubernetes.core.v1 import Namespace

from components import MeshService, MeshServiceArgs, VersionArgs

config = pulumi.Config()
image = config.require("image")
backend = json.loads(config.require("backend"))

namespace = Namespace("own", metadata={"name": "own", "labels": {"istio-injection": "enabled"}})
place = namespace.metadata["name"]


def serving(version: str) -> list[str]:
    """A server that answers with its version."""
    disabled = (f"-{name}-port=disabled" for name in ("redirect", "tcp", "udp", "grpc"))
    asked = f"-echo-server-default-params=header=version:{version}"
    return ["server", "-http-port=8080", "-server-idle-timeout=1h", "-loglevel=warning", asked, *disabled]


service = MeshService(
    "backend",
    MeshServiceArgs(
        namespace=place,
        image=image,
        target_port=8080,
        versions={version: VersionArgs(args=serving(version)) for version in backend["versions"]},
        stable=backend["stable"],
        canary=backend["canary"],
        retries={"attempts": 0},
    ),
)

labels = {"app": "orders", "version": "v2"}
orders = Deployment(
    "orders-v2",
    metadata={"name": "orders-v2", "namespace": place},
    spec={
        "selector": {"matchLabels": labels},
        "template": {
            "metadata": {"labels": labels},
            "spec": {
                "volumes": [{"name": "data", "emptyDir": {}}],
                "initContainers": [
                    {
                        "name": "before",
                        "image": "curlimages/curl:latest",
                        "imagePullPolicy": "IfNotPresent",
                        "command": ["sh", "-c", "echo kept > /data/kept"],
                        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
                    }
                ],
                "containers": [
                    {
                        "name": "orders",
                        "image": image,
                        "imagePullPolicy": "IfNotPresent",
                        "args": serving("v2"),
                        "ports": [{"name": "http", "containerPort": 8080}],
                        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
                    }
                ],
            },
        },
    },
)
MeshService(
    "orders",
    MeshServiceArgs(
        namespace=place,
        image=image,
        target_port=8080,
        versions={"v1": VersionArgs(args=serving("v1")), "v2": VersionArgs(workload=orders)},
        stable="v2",
    ),
)

pulumi.export("host", service.host)
pulumi.export("weights", service.weights)
