"""Stack files of a given size, written as people write them: three versions a service, and the features that real
services use.
"""

from __future__ import annotations

from pathlib import Path

VERSIONS = 3

_HEAD = """\
# {services} services
config:
  weir:namespace: bench
  weir:gateways:
    public:
      selector: {{istio: ingress}}
      servers:
        - port: {{number: 80, name: http, protocol: HTTP}}
          hosts: ["*.example.com"]
  weir:clients:
    caller: {{image: "curlimages/curl:latest"}}
  weir:services:
"""
_SERVICE = """\
    service-{number:04d}:
      image: registry.example.com/shop/service-{number:04d}:1.{number}.0
      port: 80
      targetPort: 8080
      replicas: 2
      env: {{LOG: info, SHARD: "{number}"}}
      versions: # v1 and v2 differ in their arguments, v3 is the next release
        v1: {{args: ["-text=Hello from v1", "-listen=:8080"]}}
        v2: {{args: ["-text=Hello from v2", "-listen=:8080"], replicas: 1}}
        v3: {{image: "registry.example.com/shop/service-{number:04d}:2.0.0", env: {{LOG: debug}}}}
      stable: v1
"""
# Which services have it (every so many), and what it is.
_FEATURES = (
    (1, "      canary: {{v2: 20, v3: 0.5}}\n"),
    (
        1,
        (
            "      retries: {{attempts: 3, perTryTimeout: 2s, retryOn: [gateway-error, connect-failure, "
            "refused-stream]}}\n"
        ),
    ),
    (2, "      timeout: 10s\n"),
    (
        3,
        "      resources: {{requests: {{cpu: 100m, memory: 64Mi}}, limits: {{memory: 128Mi}}}}\n"
        "      readinessProbe: {{httpGet: {{path: /ready, port: http}}, periodSeconds: 5}}\n",
    ),
    (
        4,
        "      trafficPolicy:\n"
        "        connectionPool: {{tcp: {{maxConnections: 100}}, http: {{http1MaxPendingRequests: 100}}}}\n"
        "        outlierDetection: {{consecutive5xxErrors: 5, interval: 5s, baseEjectionTime: 30s}}\n",
    ),
    (
        5,
        "      routes:\n"
        "        - name: beta\n"
        "          match:\n"
        "            - headers: {{x-user: {{exact: beta}}}}\n"
        "            - uri: {{prefix: /beta/}}\n"
        "              method: {{regex: GET|HEAD}}\n"
        "          stable: v2\n"
        "          headers: {{response: {{set: {{x-version: v2}}}}}}\n"
        "        - name: api\n"
        "          match: [{{uri: {{prefix: /api/}}}}]\n"
        "          canary: {{v3: 5}}\n"
        "          mirrors: [{{version: v2, percentage: 10}}]\n",
    ),
    (10, "      expose: {{gateways: [public], hosts: [service-{number:04d}.example.com]}}\n"),
)


_PARTS = """      kubernetes:
        service: {{spec: {{type: LoadBalancer}}}}
        deployment:
          spec:
            template:
              metadata: {{annotations: {{example.com/team: shop}}}}
              spec:
                volumes: [{{name: tmp, emptyDir: {{}}}}]
                containers: [{{name: service-{number:04d}, volumeMounts: [{{name: tmp, mountPath: /tmp}}]}}]
"""


def write(services: int, file: Path, *, mistake: bool = False, parts: bool = False) -> Path:
    """A stack file of so many services; `mistake`: the last of them has a canary of no version; `parts`: each has
    partial Kubernetes objects.
    """
    with file.open("w", encoding="utf-8") as out:
        out.write(_HEAD.format(services=services))
        for number in range(services):
            out.write(_SERVICE.format(number=number))
            for every, text in _FEATURES:
                if number % every == 0:
                    out.write(text.format(number=number))
            if parts:
                out.write(_PARTS.format(number=number))
        if mistake:
            out.write("      mirrors: [{version: v9}]\n")
    return file
