"""The node's processes: each as released, with its flags and the probe that says it is ready.

Files a process reads are written below the lab's directory by :func:`write_files`; inside the node that directory
stands at :data:`lab.paths.INSIDE`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.images.recipes import PAUSE_IMAGE
from lab.paths import CONTAINERD_SOCKET, INSIDE, NODE_ADDRESS, NODE_NAME, POD_RANGE, SERVICE_RANGE, LabPaths


@dataclass(frozen=True, slots=True)
class Unit:
    """A process to keep running, or with ``once`` to run to its end.

    ``ready`` is a URL that answers 200, or ``unix:PATH`` that accepts a connection; without one, a unit is ready when
    it runs, and a ``once`` unit when it ended well. ``after`` names the units that must be ready before this one
    starts.
    """

    name: str
    command: tuple[str, ...]
    ready: str = ""
    after: tuple[str, ...] = ()
    once: bool = False


_PKI = INSIDE / "pki"
_ETC = INSIDE / "etc"
# Kubernetes' own words for the settings that keep idle processes from burning the learner's laptop.
_TLS = (f"--tls-cert-file={_PKI}/apiserver.crt", f"--tls-private-key-file={_PKI}/apiserver.key")


def units(tools: dict[str, str], archive: str) -> tuple[Unit, ...]:
    """Every unit of the node; ``tools`` maps names to paths, ``archive`` is the image archive to import."""
    return (
        Unit(
            "etcd",
            (
                tools["etcd"],
                f"--data-dir={INSIDE}/etcd",
                "--listen-client-urls=http://127.0.0.1:2379",
                "--advertise-client-urls=http://127.0.0.1:2379",
                "--listen-peer-urls=http://127.0.0.1:2380",
                "--initial-advertise-peer-urls=http://127.0.0.1:2380",
                "--initial-cluster=default=http://127.0.0.1:2380",
                # A lab may lose its last second when the machine loses power; waiting for the disk on every write costs
                # more.
                "--unsafe-no-fsync",
            ),
            "http://127.0.0.1:2379/health",
        ),
        Unit("containerd", ("containerd", f"--config={_ETC}/containerd.toml"), f"unix:{CONTAINERD_SOCKET}"),
        Unit(
            "image-import",
            ("ctr", "--address", str(CONTAINERD_SOCKET), "--namespace", "k8s.io", "images", "import", archive),
            after=("containerd",),
            once=True,
        ),
        Unit(
            "kube-apiserver",
            (
                tools["kube-apiserver"],
                f"--advertise-address={NODE_ADDRESS}",
                "--secure-port=6443",
                "--etcd-servers=http://127.0.0.1:2379",
                f"--service-cluster-ip-range={SERVICE_RANGE}",
                "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
                f"--service-account-key-file={_PKI}/sa.pub",
                f"--service-account-signing-key-file={_PKI}/sa.key",
                f"--client-ca-file={_PKI}/ca.crt",
                *_TLS,
                f"--kubelet-client-certificate={_PKI}/apiserver-kubelet-client.crt",
                f"--kubelet-client-key={_PKI}/apiserver-kubelet-client.key",
                "--kubelet-preferred-address-types=InternalIP",
                "--authorization-mode=Node,RBAC",
                "--enable-admission-plugins=NodeRestriction",
                "--allow-privileged=true",
                "--profiling=false",
            ),
            "https://127.0.0.1:6443/readyz",
            after=("etcd",),
        ),
        Unit(
            "kube-controller-manager",
            (
                tools["kube-controller-manager"],
                f"--kubeconfig={_PKI}/controller-manager.kubeconfig",
                f"--service-account-private-key-file={_PKI}/sa.key",
                f"--root-ca-file={_PKI}/ca.crt",
                "--use-service-account-credentials=true",
                "--leader-elect=false",
                "--profiling=false",
            ),
            "https://127.0.0.1:10257/healthz",
            after=("kube-apiserver",),
        ),
        Unit(
            "kube-scheduler",
            (
                tools["kube-scheduler"],
                f"--kubeconfig={_PKI}/scheduler.kubeconfig",
                "--leader-elect=false",
                "--profiling=false",
            ),
            "https://127.0.0.1:10259/healthz",
            after=("kube-apiserver",),
        ),
        Unit(
            "kubelet",
            (
                tools["kubelet"],
                f"--config={_ETC}/kubelet.json",
                f"--kubeconfig={_PKI}/kubelet.kubeconfig",
                f"--root-dir={INSIDE}/kubelet",
                f"--hostname-override={NODE_NAME}",
                f"--node-ip={NODE_ADDRESS}",
            ),
            "http://127.0.0.1:10248/healthz",
            after=("kube-apiserver", "containerd"),
        ),
        Unit(
            "kube-proxy",
            (tools["kube-proxy"], f"--config={_ETC}/kube-proxy.json"),
            "http://127.0.0.1:10256/healthz",
            after=("kube-apiserver", "kubelet"),
        ),
        Unit(
            "coredns",
            (tools["coredns"], "-conf", f"{_ETC}/Corefile"),
            "http://127.0.0.1:8181/ready",
            after=("kube-apiserver",),
        ),
    )


def write_files(paths: LabPaths) -> None:
    """Write the configuration files of the units into the lab's directory."""
    etc = paths.lab / "etc"
    cni = etc / "cni"
    cni.mkdir(parents=True, exist_ok=True)
    (etc / "containerd.toml").write_text(_CONTAINERD)
    (etc / "Corefile").write_text(_COREFILE)
    # Pods must not learn the machine's resolvers: there is no way out to them.
    (etc / "resolv.conf").write_text(f"nameserver {NODE_ADDRESS}\n")
    _write_json(cni / "10-lab.conflist", _CNI)
    _write_json(etc / "kubelet.json", _kubelet(paths))
    _write_json(etc / "kube-proxy.json", _KUBE_PROXY)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2))


# restrict_oom_score_adj: without CAP_SYS_RESOURCE (a container, a small VM) runc may not lower a score, and every
# sandbox fails.
_CONTAINERD = f"""\
version = 2
root = "{INSIDE}/containerd"
state = "/run/containerd"
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs",
]
[grpc]
  address = "{CONTAINERD_SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{_ETC}/cni"
"""

_COREFILE = f"""\
.:53 {{
    bind {NODE_ADDRESS}
    errors
    health 127.0.0.1:8080
    ready 127.0.0.1:8181
    kubernetes cluster.local in-addr.arpa {{
        kubeconfig {_PKI}/coredns.kubeconfig
        ttl 5
    }}
    cache 5
}}
"""

# ptp, not bridge: every packet between pods is routed, so that service addresses work without the br_netfilter module.
_CNI: dict[str, Any] = {
    "cniVersion": "0.4.0",
    "name": "lab",
    "plugins": [
        {
            "type": "ptp",
            "ipMasq": False,
            "ipam": {
                "type": "host-local",
                "dataDir": f"{INSIDE}/ipam",
                "ranges": [[{"subnet": POD_RANGE}]],
                "routes": [{"dst": "0.0.0.0/0"}],
            },
        }
    ],
}


def _kubelet(paths: LabPaths) -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{_PKI}/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{paths.cgroup}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "clusterDNS": [NODE_ADDRESS],
        "clusterDomain": "cluster.local",
        "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {"memory.available": "50Mi", "nodefs.available": "1%", "nodefs.inodesFree": "1%"},
        "podLogsDir": f"{INSIDE}/pod-logs",
        "resolvConf": f"{_ETC}/resolv.conf",
        "serializeImagePulls": False,
        "volumePluginDir": f"{INSIDE}/volume-plugins",
    }


_KUBE_PROXY: dict[str, Any] = {
    "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
    "kind": "KubeProxyConfiguration",
    "clientConnection": {"kubeconfig": f"{_PKI}/kube-proxy.kubeconfig"},
    "mode": "iptables",
    "clusterCIDR": POD_RANGE,
    "hostnameOverride": NODE_NAME,
    # The connection-tracking table is the whole machine's: its limits are left alone.
    "conntrack": {"maxPerCore": 0},
    "iptables": {"minSyncPeriod": "100ms"},
}
