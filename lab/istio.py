"""Istio in the lab: istiod in a pod, from the manifests that Istio's own istioctl generates."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from lab.errors import LabError
from lab.images.recipes import HUB
from lab.tools.cache import cache_dir, content_key
from lab.tools.catalog import ISTIO_VERSION
from lab.tools.toolset import Toolset

NAMESPACE = "istio-system"

# The stock Envoy lacks the filters that Istio adds to its own build: what would configure them is switched off.
_STOCK_ENVOY = {
    "values.pilot.env.PILOT_ENABLE_METADATA_EXCHANGE": "false",
    "values.pilot.env.PILOT_ENABLE_ALPN_FILTER": "false",
}
_SETTINGS = {
    "profile": "minimal",
    "hub": HUB,
    "tag": ISTIO_VERSION,
    # Without a default revision the webhook that validates objects is left out, and Istio's own rules are not checked.
    "values.defaultRevision": "default",
    "values.global.imagePullPolicy": "IfNotPresent",
    "values.pilot.autoscaleEnabled": "false",
    # One small node: the defaults ask for more processor than two cores have left.
    "values.pilot.resources.requests.cpu": "50m",
    "values.pilot.resources.requests.memory": "128Mi",
    "values.global.proxy.resources.requests.cpu": "10m",
    "values.global.proxy.resources.requests.memory": "40Mi",
    **_STOCK_ENVOY,
}
_MESH_CONFIG = """\
apiVersion: install.istio.io/v1alpha1
kind: IstioOperator
spec:
  meshConfig:
    defaultProviders:
      metrics: []
    defaultConfig:
      proxyStatsMatcher:
        inclusionRegexps: ["cluster\\\\.outbound.*upstream_rq.*"]
"""


def manifests(tools: Toolset) -> Path:
    """The file with every object of Istio, generated when it is not in the cache under this content."""
    settings = [f"{key}={value}" for key, value in sorted(_SETTINGS.items())]
    path = cache_dir() / "images" / f"istio-{content_key([tools.key, _MESH_CONFIG, *settings])}.yaml"
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    command = [str(tools["istioctl"]), "manifest", "generate", "--filename", "-"]
    for setting in settings:
        command += ["--set", setting]
    result = subprocess.run(command, input=_MESH_CONFIG, capture_output=True, text=True, check=False)
    if result.returncode:
        raise LabError(f"istioctl manifest generate failed:\n{result.stderr.strip()[-2000:]}")
    # Several labs may start at once: each writes its own.
    partial = path.with_suffix(f".{os.getpid()}.partial")
    partial.write_text(result.stdout)
    partial.rename(path)
    return path
