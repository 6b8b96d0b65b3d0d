"""What must be refused: values that a kind of value must not have, and keys that clash. `breakage` puts them into
valid configs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.unit.model.config_places import fields
from weir.model import StackConfig
from weir.model.config import (
    actions,
    answers,
    containers,
    environment,
    gateways,
    load_balancer,
    matches,
    metrics,
    notify,
    probes,
    scaling,
    traffic_policy,
    versions,
)
from weir.model.config.drills import DrillMatch
from weir.model.config.hosts import Host, HostRoute
from weir.model.config.routes import Route
from weir.model.config.stack import Service
from weir.model.values import hosts, http, names, numbers, text
from weir.model.values.durations import Length, LengthOrNone, LengthOrZero, ReadyTimeout, WholeSeconds
from weir.model.values.instants import Moment

_NAMES = ["A", "-a", "a.b", "a_b", "x" * 64, "", 5]
_COUNTS = [-1, 2**31, 1.5, "many", True, ""]
_LENGTHS = ["3", 3, "-1s", "1.5ms", "0.9ms", "", "soon", "9999999h", "2562047h47m16.854s", "٣s", ["3s"]]
_SHARES = [-1, 100.5, "half", True, 0.00001, float("nan"), {"value": 5}]
_HEADERS = ["", "a b", "ä", "a:", 5]
_TEXTS = ["", " ", "a\nb", "\0", 5, True]

BAD_VALUES: list[tuple[Any, list[Any]]] = [
    (fields(answers.Body)["bytes"], ["", "AAE", "ü", 5, "A==="]),
    (load_balancer.Locality, ["", "a//b", "*/a", "a/b/c/d", "a*"]),
    (load_balancer.AttributeText, [*_TEXTS, "x" * 16385]),
    (load_balancer.Region, ["", "a/b", "*", 5]),
    (containers.Capability, ["net_raw", "", 5]),
    (probes.ProbePort, [0, 65536, "https", True]),
    (fields(probes.Grpc)["port"], [0, 65536, "http"]),
    (fields(probes.HttpHeader)["name"], ["", "a_b", "ä", 5]),
    (containers.Quantity, ["", "-1", "1.5.5", "64mb", "1e3", True, "9Pi", "1E", "9" * 30]),
    (containers.Profile, ["", "/a", "..", "a/../b", 5]),
    (
        containers.ResourceName,
        ["pods", "gpu", "hugepages-", "hugepages-0", "hugepages-1m", "requests.a/b", "x" * 245 + "/a", "a/b/c"],
    ),
    (containers.User, [-1, 1337, "root", 2**31]),
    (
        environment.ContainerResource,
        ["", "cpu", "limits.gpu", "limit.cpu", "limits.cpu.x", "requests.hugepages-", "limits.hugepages-two", 5],
    ),
    (hosts.Labels, [{}, 5, "app=shop"]),
    (
        hosts.FullHost,
        [
            "",
            "legacy",
            "Legacy.example.com",
            "*.example.com",
            "a..b",
            ".a.b",
            "a.b.",
            "a_b.c",
            "10.0.0.1",
            "shop.old.svc",
            "a." * 127 + "b",
            5,
        ],
    ),
    (environment.DataKey, ["", "a b", "a/b", ".", "..", "..a", "ä", "x" * 254, 5]),
    (environment.Divisor, ["", 0, 2, "1000m", "10Mi", "1K", "1ki", True, "m", 1.5]),
    (
        notify.Webhook,
        [
            *_TEXTS,
            "hooks.example.com/x",
            "ftp://a/x",
            "file:///x",
            "https://",
            "https:///x",
            "https://a:b/x",
            "https://a:0/x",
            "https://a:65536/x",
            "https://[::1/x",
            "https://a b/x",
            "https://ann:hunter2@a/x",
            "https://ä/x",
        ],
    ),
    (environment.EnvValue, [1.5, ["a"]]),
    (
        environment.FieldPath,
        [
            "",
            "metadata.labels",
            "status.phase",
            "metadata.labels['']",
            "metadata.labels['-a']",
            "metadata.name['a']",
            "podIP",
            5,
        ],
    ),
    (environment.ObjectName, ["", "A", "a_b", "-a", "a.", "a..b", "x" * 254, 5]),
    (hosts.ClusterDomain, ["", ".", "a..b", "Corp.internal", "-a", "a b", "*.a", "x" * 64, 5]),
    (
        hosts.Domain,
        [
            "shop",
            "**",
            "",
            "a..b",
            "-a.b",
            "a b.c",
            "*.*.b",
            "a.*.b",
            "x" * 64 + ".a",
            "shop.1",
            "1.2.3",
            "*.0",
            "01.2.3.4",
            5,
        ],
    ),
    (hosts.ExportTo, [[], ["*", "a"], ["a", "a"], ["A"], "a", [5]]),
    (hosts.GatewayReference, ["", "a/b/c", "a/", "A/b", "mesh", 5]),
    (hosts.LabelKey, ["", "-a", "a/b/c", "/a", "a/", "ä", "x" * 64, "A.b/c"]),
    (hosts.LabelValue, ["-a", "a b", "x" * 64, "ä", 5]),
    (hosts.MatchGateway, ["", "a/b/c", "A/b", 5]),
    (hosts.ServerHost, ["", "shop", "a/b/c.d", "A/a.b", "a/", "*.*", "x/shop", 5]),
    (http.CorsHeader, [*_HEADERS, ":authority", ":path"]),
    (http.CorsMethod, ["get", "", "BREW", 5]),
    (http.GrpcStatus, ["unavailable", "", 14, "14"]),
    (
        http.HeaderValue,
        [
            "50%",
            "%",
            "%(a)%",
            "%A()%",
            "%FOO%",
            "%REQ%",
            "%REQ(a:b)%",
            "%PER_REQUEST_STATE(a:b)%",
            "%HOSTNAME(a)%",
            "%START_TIME(%n)%",
            "x" * 16385,
            "%A([x])%",
            '%A(b"c)%',
            "a\nb",
            "\0",
            "\x7f",
            1.5,
            ["a"],
        ],
    ),
    (http.MatchHeader, [*_HEADERS, ":host", "@request.auth.claims.group"]),
    (http.OtherHeader, [*_HEADERS, "Host", ":authority", "x" * 16385]),
    (
        http.Regex,
        [
            "",
            "(",
            "[z-a]",
            "a**",
            "(?<!a)b",
            r"\1",
            r"a\\\C",
            r"\pL{100}",
            r"\x{100}",
            "(?:" + "x" * 33 + "){1000}",
            "(?P<é>a)",
            "a\nb",
            "x" * 1025,
            "ü" * 513,
            5,
        ],
    ),
    (http.RetryConditions, ["", [], "5XX", ["gateway-eror"], "599", "5xx,,reset", 5]),
    (http.WrittenHeader, [*_HEADERS, ":path", "x" * 16385]),
    (
        Moment,
        [
            "",
            "tomorrow",
            "2026-11-25",
            "2026-11-25T14:00:00",
            "2026-11-25 14:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-11-25T14:00:00z",
            5,
            True,
        ],
    ),
    (Length, [*_LENGTHS, "0s"]),
    (LengthOrNone, [*_LENGTHS, "0s", 0, "None", False]),
    (LengthOrZero, [*_LENGTHS, False]),
    (ReadyTimeout, [*_LENGTHS, "999ms"]),
    (WholeSeconds, [*_LENGTHS, "1500ms"]),
    (names.PortName, ["A", "a--b", "-a", "a-", "a_b", "1", "x" * 16, "", 5]),
    (names.EnvName, ["1A", "", "A=B", "Ä", "a b", ".", "..", "..a"]),
    (names.Image, ["", "App:1", "a b", "a:" + "t" * 129, "a@sha256:abc", "n" * 256, 5]),
    (names.Label, _NAMES),
    (names.WorkloadName, ["shop", "Deployment/shop", "deployment/", "deployment/A", "pod/shop", "a/b/c", 5]),
    (names.ServiceName, [*_NAMES, "1st"]),
    (fields(traffic_policy.ClientTls)["credentialName"], _NAMES),
    (traffic_policy.ServerName, [*_TEXTS, "x" * 256, "日" * 86]),
    (
        metrics.Url,
        ["", "a:9090", "ftp://a", "http://", "http://a:0", "http://a:x", "http://u:p@a", "http://a?b", "http://a#b"],
    ),
    (matches.QueryParameter, [*_TEXTS, "x" * 1025]),
    (numbers.Count, _COUNTS),
    (scaling.Replicas, [*_COUNTS, "External"]),
    (numbers.ErrorCode, [99, 600, "x"]),
    (numbers.FromOne, [0, *_COUNTS]),
    (numbers.LocalityWeight, [0, 101, 1.5]),
    (numbers.Number, ["x", "5 %", True, float("nan"), float("inf"), 10**15]),
    (numbers.Percent, _SHARES),
    (numbers.Port, [0, 65536, "http", 80.5, True]),
    (numbers.ServicePort, [0, 65536, "http", 15001, 15006, "15021", 15090]),
    (numbers.GatewayPort, [0, 65536, "http", 15000, 15004, 15020, "15021", 15090]),
    (numbers.Positive, [0, -1, "x", True, 10**9, float("inf"), "1e-400"]),
    (numbers.Prime, [0, 1, 4, 5000011, 65536, "x"]),
    (numbers.RedirectCode, [200, 299, 300, 304, 305, 306, 309, 399, 400, "x"]),
    (numbers.RingSize, [-1, 8388609, 2**32, "x"]),
    (numbers.Share, _SHARES),
    (numbers.Status, [199, 600, "x"]),
    (numbers.Unsigned, [-1, 2**32, "x"]),
    (numbers.UnsignedFromOne, [0, -1, 2**32]),
    (numbers.WholePercent, [-1, 101, 0.5]),
    (text.Flag, ["maybe", 1, 0, "", "True"]),
    (text.SomeText, _TEXTS),
    (text.Text, [1.5, ["a"]]),
]
"""What each kind of value must not be. A mapping is none of them; it is tried everywhere."""

_ORIGIN = {"exact": "https://a"}
_DELAY = {"percentage": 1, "fixedDelay": "1s"}
_TLS = {"mode": "SIMPLE", "credentialName": "a"}
_COMPARED = {"query": '{v="{version}"}', "of": 'a{v="{version}"}', "worse": 2, "max": None, "min": None}
_DRILL = {"delay": _DELAY, "until": "2026-11-25T14:00:00Z"}
CLASHES: Mapping[type, list[dict[str, Any]]] = {
    actions.Abort: [{"httpStatus": 503, "grpcStatus": "INTERNAL"}],
    answers.Body: [{"string": "a", "bytes": "AAE="}],
    answers.Redirect: [{"uri": "/a", "prefixRewrite": "/b"}, {"port": 80, "derivePort": "FROM_REQUEST_PORT"}],
    scaling.Autoscaling: [{"minReplicas": 3, "maxReplicas": 2}, {"metrics": [{"type": "Cpu"}]}],
    actions.Retries: [
        {"attempts": 0, "perTryTimeout": "1s"},
        {"attempts": 0, "retryOn": "5xx"},
        {"attempts": 0, "backoff": "1s"},
    ],
    actions.Rewrite: [{"uri": "/a", "uriRegexRewrite": {"match": "a", "rewrite": "b"}}],
    load_balancer.ConsistentHash: [
        {"httpHeaderName": "x", "useSourceIp": True},
        {"httpCookie": {"name": "a"}, "httpQueryParameterName": "b"},
        {"ringHash": {}, "maglev": {"tableSize": 3}},
    ],
    load_balancer.HttpCookie: [{"attributes": [{"name": "a"}, {"name": "a"}]}],
    load_balancer.Distribute: [{"to": {"a": 50, "b": 40}}, {"to": {"a": 50, "a/b": 50}}],
    load_balancer.Failover: [{"from": "a", "to": "a"}],
    load_balancer.LoadBalancer: [
        {"simple": "RANDOM", "consistentHash": {"useSourceIp": True}},
        {"localityLbSetting": {"enabled": True}, "zoneAwareLbSetting": {"enabled": True}},
    ],
    load_balancer.LocalityLbSetting: [
        {"distribute": [{"from": "a", "to": {"a": 100}}], "failover": [{"from": "a", "to": "b"}]},
        {"distribute": [{"from": "a/*", "to": {"a": 100}}, {"from": "a/b", "to": {"a": 100}}]},
        {"failover": [{"from": "a", "to": "b"}], "failoverPriority": ["topology.istio.io/subzone"], "distribute": None},
    ],
    load_balancer.ZoneAwareLbSetting: [{"failoverPriority": ["topology.kubernetes.io/zone"]}],
    metrics.Metric: [
        {"max": 1, "min": 1},
        {"worse": None, "max": None, "min": None},
        {"worse": None, "min": None, "max": 1, "of": "a"},
        {**_COMPARED, "of": None},
        {**_COMPARED, "for": "1m"},
        {**_COMPARED, "query": 'rate(a{v="{version}"}[1m])'},
        {**_COMPARED, "of": "a"},
    ],
    metrics.Prometheus: [{"url": None, "flavour": "envoy"}, {"url": None, "headers": {"a": "b"}}],
    probes.Probe: [{"tcpSocket": {"port": 1}, "exec": {"command": ["a"]}}],
    probes.OnceProbe: [{"tcpSocket": {"port": 1}, "grpc": {"port": 1}}, {"successThreshold": 2}],
    containers.Resources: [
        {"requests": {"cpu": "1001m"}, "limits": {"cpu": 1}},
        {"requests": {"memory": "1Mi"}, "limits": {"memory": "1M"}},
        {"requests": {"gpu": 1}},
        {"requests": {"example.com/gpu": 1}, "limits": {}},
        {"requests": {}, "limits": {"example.com/gpu": "500m"}},
        {"requests": {}, "limits": {"hugepages-2Mi": "2Mi"}},
    ],
    containers.SeccompProfile: [
        {"type": "Localhost", "localhostProfile": None},
        {"type": "Unconfined", "localhostProfile": "a"},
    ],
    containers.SecurityContext: [
        {"runAsUser": 0, "runAsNonRoot": None},
        {"privileged": True, "allowPrivilegeEscalation": False},
        {"capabilities": {"add": ["CAP_SYS_ADMIN"]}, "allowPrivilegeEscalation": False},
    ],
    environment.EnvFrom: [
        {"secretRef": {"name": "a"}, "configMapRef": {"name": "a"}},
        {"secretRef": None, "configMapRef": None},
    ],
    environment.ResourceFieldRef: [
        {"resource": "limits.memory", "divisor": "1m"},
        {"resource": "requests.cpu", "divisor": "1Ki"},
        {"resource": "limits.hugepages-2Mi", "divisor": "1m"},
    ],
    environment.ValueFrom: [
        {"secretKeyRef": {"name": "a", "key": "b"}, "fieldRef": {"fieldPath": "metadata.name"}},
        {"configMapKeyRef": {"name": "a", "key": "b"}, "secretKeyRef": {"name": "a", "key": "b"}},
        {"resourceFieldRef": {"resource": "limits.cpu"}, "fieldRef": {"fieldPath": "metadata.name"}},
        dict.fromkeys(fields(environment.ValueFrom)),
    ],
    environment.Variable: [
        {"value": "a", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"value": None, "valueFrom": None},
    ],
    gateways.Server: [
        {"hosts": ["*/*", "./a.b"]},
        {"port": {"number": 1, "name": "a", "protocol": "HTTPS"}, "tls": None},
        {
            "port": {"number": 1, "name": "a", "protocol": "HTTPS"},
            "tls": {"mode": "MUTUAL", "serverCertificate": "a", "privateKey": "b"},
        },
        {
            "port": {"number": 1, "name": "a", "protocol": "HTTPS"},
            "tls": {"mode": "SIMPLE", "credentialName": "a", "privateKey": "b"},
        },
        {
            "port": {"number": 1, "name": "a", "protocol": "HTTPS"},
            "tls": {"mode": "SIMPLE", "credentialName": "a", "httpsRedirect": True},
        },
        {
            "port": {"number": 1, "name": "a", "protocol": "HTTPS"},
            "tls": {"mode": "ISTIO_MUTUAL", "credentialName": "a"},
        },
        {
            "port": {"number": 1, "name": "a", "protocol": "HTTPS"},
            "tls": {"mode": "SIMPLE", "credentialName": "a", "subjectAltNames": ["b"]},
        },
        {"port": {"number": 1, "name": "a", "protocol": "HTTP"}, "tls": {"mode": "SIMPLE", "credentialName": "a"}},
        {"port": {"number": 1, "name": "a", "protocol": "GRPC"}, "tls": {"privateKey": "a"}},
    ],
    gateways.Gateway: [
        {
            "servers": [
                {"port": {"number": 443, "name": name, "protocol": "HTTPS"}, "hosts": [host], "tls": _TLS}
                for name, host in pair
            ]
        }
        for pair in (
            [("a", "shop.example.com"), ("b", "Shop.example.com")],
            [("a", "*"), ("b", "./*")],
            [("a", "*/a.b"), ("b", "a.b")],
        )
    ],
    actions.RequestHeaders: [{"set": {f"x-{number}": "a" for number in range(501)}}],
    actions.ResponseHeaders: [
        {"set": {f"x-{number}": "a" for number in range(300)}, "add": {f"y-{number}": "a" for number in range(300)}}
    ],
    matches.PresenceMatch: [{"exact": "a", "prefix": "b"}, {"prefix": "a", "regex": "b"}],
    matches.StringMatch: [{"exact": "a", "prefix": "b"}, {"exact": None, "prefix": None, "regex": None}],
    matches.Match: [
        {"gateways": ["mesh"], "sourceLabels": {"app": "tester"}},
        {"gateways": ["mesh"], "sourceNamespace": "qa"},
        {"uri": {"regex": "a"}, "ignoreUriCase": True},
        {**dict.fromkeys(fields(matches.Match)), "gateways": [], "headers": {}, "name": "empty"},
    ],
    versions.Version: [
        {"host": "legacy.example.com", "port": 443, "external": True, "image": "app:1"},
        {"host": "legacy.example.com", "port": 443, "labels": {"a": "b"}},
        {"host": "legacy.example.com", "port": None},
        {"host": "shop.old.svc.cluster.local", "port": 80, "external": None, "trafficPolicy": {"tls": _TLS}},
        {"host": None, "port": 443},
        {"host": None, "external": True},
    ],
    traffic_policy.ClientTls: [
        {"mode": "SIMPLE", "credentialName": "a", "caCertificates": "b"},
        {"mode": "SIMPLE", "insecureSkipVerify": True, "caCertificates": "b"},
        {"mode": "MUTUAL", "insecureSkipVerify": True, "subjectAltNames": ["b"]},
        {"mode": "MUTUAL", "clientCertificate": "a", "privateKey": None, "credentialName": None},
    ],
    traffic_policy.HttpSettings: [{"h2UpgradePolicy": "UPGRADE", "useClientProtocol": True}],
    traffic_policy.OutlierDetection: [{"consecutiveLocalOriginFailures": 1, "splitExternalLocalOriginErrors": False}],
    traffic_policy.TrafficPolicy: [
        {**dict.fromkeys(fields(traffic_policy.TrafficPolicy)), "portLevelSettings": []},
        {
            "portLevelSettings": [
                {"port": {"number": 1}, "tls": {"mode": "DISABLE"}},
                {"port": {"number": 1}, "connectionPool": {"tcp": {}}},
            ]
        },
    ],
    Service: [
        {"ports": [{"name": "a", "port": 80}], "port": 80},
        {"ports": [{"name": "a", "port": 80}], "port": None, "targetPort": 80},
        {"ports": [{"name": "a", "port": 80}], "protocol": "http"},
        {"ports": [{"name": "a", "port": 80, "protocol": "tcp"}]},
        {"ports": [{"name": "a", "port": 80}, {"name": "a", "port": 81}]},
        {"ports": [{"name": "a", "port": 80}, {"name": "b", "port": 80}]},
        {"ports": [{"name": "a", "port": 80}, {"name": "b", "port": 81, "targetPort": 80, "protocol": "grpc"}]},
        {"ports": [{"name": "a", "port": 80}], "readinessProbe": {"tcpSocket": {"port": "b"}}},
        {"ports": [{"name": "a", "port": 80}], "routes": [{"name": "a", "match": [{"port": 81}]}]},
        {
            "ports": [{"name": "a", "port": 80}],
            "trafficPolicy": {"portLevelSettings": [{"port": {"number": 81}, "tls": {"mode": "DISABLE"}}]},
        },
        {
            "ports": [{"name": "a", "port": 80}, {"name": "b", "port": 81}],
            "expose": {"gateways": ["a/b"], "hosts": ["a.b"]},
            "routes": [{"name": "a", "match": [{"sourceNamespace": "a"}]}],
        },
        {"stable": "nobody"},
        {"stable": None},
        {"canary": {"nobody": 5}},
        {"versions": {"a": {}, "b": {}}, "stable": "a", "canary": {"a": 5}},
        {"versions": {"a": {}, "b": {}, "c": {}}, "stable": "a", "canary": {"b": 60, "c": "40.0001"}},
        {"mirrors": [{"version": "nobody"}]},
        {"redirect": {"uri": "/a"}, "directResponse": {"status": 200}},
        {"redirect": {"uri": "/a"}, "directResponse": None, "fault": {"delay": _DELAY}},
        {"rewrite": {"authority": "a.b"}, "headers": {"request": {"set": {"Host": "c"}}}},
        {"headers": {"request": {"set": {"Host": "a"}, "add": {":authority": "b"}}}},
        {"image": None, "versions": {"a": {"image": "app:1"}, "b": {}}, "stable": "a"},
        {"expose": {"gateways": ["nobody"], "hosts": ["a.b"]}},
        {"expose": {"gateways": ["a/b", "a/b"], "hosts": ["a.b"]}},
        {"expose": {"gateways": ["a/b"], "hosts": ["*.b", "a.b"]}},
        {"expose": {"gateways": ["a/b"], "hosts": ["*", "a.b"]}},
        {"expose": {"gateways": ["a/b"], "hosts": ["a.b"], "routes": ["nobody"]}},
        {
            "expose": {"gateways": ["a/b"], "hosts": ["a.b"], "routes": ["default"]},
            "routes": [{"name": "a", "match": [{"gateways": ["a/b"]}]}],
        },
        {"expose": {"gateways": ["a/b"], "hosts": ["*.svc.cluster.local"]}},
        {"fault": {"delay": _DELAY}, "drill": _DRILL, "redirect": None, "directResponse": None},
        {"redirect": {"uri": "/a"}, "directResponse": None, "routes": None, "drill": _DRILL},
        {
            "routes": [{"name": "a", "match": [{"headers": {"x-drill": {"prefix": "b"}}}]}],
            "drill": {**_DRILL, "match": {"headers": {"x-drill": {}}}},
        },
        {"routes": [{"name": "a" * 58}], "drill": {**_DRILL, "match": {"headers": {"x-drill": {}}}}},
        {"routes": [{"name": "default"}]},
        {"routes": [{"name": "a"}, {"name": "a"}]},
    ],
    Route: [
        {"stable": "nobody", "redirect": None, "directResponse": None},
        {"canary": {"nobody": 5}, "redirect": None, "directResponse": None},
        {"directResponse": {"status": 200}, "redirect": None, "timeout": "1s"},
        {"match": [{"uri": {"exact": "a"}}], "redirect": {"prefixRewrite": "/a"}, "directResponse": None},
        {"match": [{"gateways": ["no/body"]}]},
    ],
    Host: [
        {"gateways": ["a/b", "a/b"]},
        {"gateways": ["nobody"]},
        {"routes": [{"service": "nobody"}]},
        {"routes": [{"service": "a"}, {"service": "b", "name": "a"}]},
    ],
    HostRoute: [
        {"match": [{"sourceLabels": {"app": "a"}}]},
        {"match": [{"sourceNamespace": "a"}]},
        {"match": [{"gateways": ["a/b"]}]},
        {"name": "n" * 60},
    ],
    StackConfig: [
        {"hosts": {host: {"gateways": ["a/b"], "routes": [{"service": "nobody"}]} for host in ("a.b", "A.b")}},
        {"namespace": None},
        {"namespace": "n" * 40, "ephemeral": True},
        {"createNamespace": False, "ephemeral": True},
        {"clients": {"default": {"image": "a"}}},
        {"clients": {"istio-proxy": {"image": "a"}}},
        {"services": {"a": {"versions": {"b-c": {}}, "stable": "b-c"}, "a-b": {"versions": {"c": {}}, "stable": "c"}}},
        {"services": {"a": {"versions": {"b": {}}, "stable": "b"}}, "clients": {"a-b": {"image": "a"}}},
    ],
}
"""Keys that are each well formed and refused together, whatever else the mapping has."""

EMPTY: list[tuple[type, str]] = [
    (actions.CorsPolicy, "allowOrigins"), (gateways.Gateway, "servers"), (gateways.Server, "hosts"), (gateways.Expose, "gateways"),
    (gateways.Expose, "hosts"), (gateways.Expose, "routes"), (Host, "gateways"), (Host, "routes"), (probes.Exec, "command"), (Service, "versions"), (Service, "fault"), (Service, "rewrite"), (Service, "ports"),
    (Service, "redirect"), (Service, "trafficPolicy"), (Route, "fault"), (Route, "redirect"), (traffic_policy.TrafficPolicy, "connectionPool"),
    (DrillMatch, "headers"), (Service, "drill"),
]  # fmt: skip
"""Keys that must not be empty."""
