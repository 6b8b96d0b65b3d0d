"""The cluster's certificates and kubeconfigs, made once per lab with openssl.

One certificate authority; a client certificate per component, with the user and group that Kubernetes' own RBAC
bootstrap policy knows (kubernetes.io, "PKI certificates and requirements"). Names, not addresses, say who the API
server is, so that the certificates hold whatever address the lab gets.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError
from lab.host import command_path
from lab.paths import API_SERVICE_ADDRESS, CONTEXT, NODE_ADDRESS, NODE_NAME

SERVER_NAME = "weir-lab"
_DAYS = "3650"


@dataclass(frozen=True, slots=True)
class _Identity:
    name: str
    user: str
    group: str = ""


_CLIENTS = (
    _Identity("admin", "weir-admin", "system:masters"),
    _Identity("apiserver-kubelet-client", "kube-apiserver-kubelet-client", "system:masters"),
    _Identity("controller-manager", "system:kube-controller-manager"),
    _Identity("scheduler", "system:kube-scheduler"),
    _Identity("kube-proxy", "system:kube-proxy"),
    _Identity("kubelet", f"system:node:{NODE_NAME}", "system:nodes"),
    _Identity("coredns", "weir:coredns"),
)
_SERVER_NAMES = (
    f"DNS:{SERVER_NAME},DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,"
    f"DNS:kubernetes.default.svc.cluster.local,IP:127.0.0.1,IP:{NODE_ADDRESS},IP:{API_SERVICE_ADDRESS}"
)
# Which components start with a kubeconfig of their own, all talking to the API server on the node's loopback.
_KUBECONFIGS = ("controller-manager", "scheduler", "kube-proxy", "kubelet", "coredns")


def make_pki(directory: Path) -> None:
    """Write every key, certificate and component kubeconfig into ``directory``, unless a whole set is there already."""
    done = directory / "done"
    if done.exists():
        return
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    ca = ["-CA", "ca.crt", "-CAkey", "ca.key"]
    _certificate(
        directory,
        "ca",
        "/CN=weir-lab-ca",
        "basicConstraints=critical,CA:TRUE",
        "keyUsage=critical,keyCertSign,cRLSign,digitalSignature",
    )
    _certificate(
        directory,
        "apiserver",
        "/CN=kube-apiserver",
        "extendedKeyUsage=serverAuth",
        f"subjectAltName={_SERVER_NAMES}",
        signer=ca,
    )
    for client in _CLIENTS:
        subject = (f"/O={client.group}" if client.group else "") + f"/CN={client.user}"
        _certificate(directory, client.name, subject, "extendedKeyUsage=clientAuth", signer=ca)
    _openssl(directory, ["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "sa.key"])
    _openssl(directory, ["ec", "-in", "sa.key", "-pubout", "-out", "sa.pub"])
    for name in _KUBECONFIGS:
        write_kubeconfig(directory / f"{name}.kubeconfig", directory, name, "https://127.0.0.1:6443")
    done.touch()


def write_kubeconfig(path: Path, directory: Path, identity: str, server: str) -> None:
    """Write a kubeconfig (JSON, which is YAML) that holds its keys itself; readable by its owner alone."""

    def content(name: str) -> str:
        return base64.b64encode((directory / name).read_bytes()).decode()

    text = json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": CONTEXT,
                    "cluster": {
                        "server": server,
                        "tls-server-name": SERVER_NAME,
                        "certificate-authority-data": content("ca.crt"),
                    },
                }
            ],
            "users": [
                {
                    "name": identity,
                    "user": {
                        "client-certificate-data": content(f"{identity}.crt"),
                        "client-key-data": content(f"{identity}.key"),
                    },
                }
            ],
            "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": identity}}],
            "current-context": CONTEXT,
        },
        indent=2,
    )
    partial = path.with_name(path.name + ".partial")
    partial.touch(mode=0o600)
    partial.write_text(text)
    partial.rename(path)


def _certificate(directory: Path, name: str, subject: str, *extensions: str, signer: list[str] | None = None) -> None:
    command = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc", "-days", _DAYS]
    command += ["-subj", subject, "-keyout", f"{name}.key", "-out", f"{name}.crt", *(signer or [])]
    for extension in extensions:
        command += ["-addext", extension]
    _openssl(directory, command)


def _openssl(directory: Path, arguments: list[str]) -> None:
    # The machine's openssl.cnf may add extensions of its own; an empty one adds none.
    config = directory / "openssl.cnf"
    config.write_text("[req]\ndistinguished_name=name\n[name]\n")
    result = subprocess.run(
        ["openssl", *arguments],
        cwd=directory,
        capture_output=True,
        text=True,
        env={**os.environ, "OPENSSL_CONF": str(config), "PATH": command_path()},
        check=False,
    )
    if result.returncode:
        raise LabError(f"openssl {arguments[0]} failed: {result.stderr.strip()[-800:]}")
