"""Which tools the lab is made of, and how each is built from its pinned Go module.

A directory beside this file is one Go module: ``go.mod`` and ``go.sum`` pin every source by hash. A :class:`Module`
names what is built from it. ``seconds`` is the time a cold build took on two cores; it only weighs what remains in the
progress line.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

MODULES_DIR = Path(__file__).parent

KUBERNETES_VERSION = "v1.36.3"
ISTIO_VERSION = "1.31.0"
PULUMI_VERSION = "3.259.0"
PULUMI_KUBERNETES_VERSION = "4.25.0"
PULUMI_RANDOM_VERSION = "4.21.4"
ENVOY_VERSION = "1.40.0"
FORTIO_VERSION = "1.66.5"


@dataclass(frozen=True, slots=True)
class Binary:
    """One executable. ``variables`` are string variables that the linker sets, as ``-X`` takes them."""

    name: str
    package: str
    seconds: int
    variables: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Module:
    """A directory with a go.mod, and what is built from it."""

    name: str
    binaries: tuple[Binary, ...]
    # Files that a build needs beside its sources: name → (module, path in it).
    beside: dict[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def source(self) -> Path:
        """The directory with go.mod, go.sum and sources."""
        return MODULES_DIR / self.name


_KUBERNETES_VARIABLES = (
    f"k8s.io/component-base/version.gitVersion={KUBERNETES_VERSION}",
    "k8s.io/component-base/version.gitMajor=1",
    "k8s.io/component-base/version.gitMinor=36",
    f"k8s.io/client-go/pkg/version.gitVersion={KUBERNETES_VERSION}",
)
_ISTIO_VARIABLES = (
    f"istio.io/istio/pkg/version.buildVersion={ISTIO_VERSION}",
    "istio.io/istio/pkg/version.buildStatus=Clean",
    f"istio.io/istio/pkg/version.buildTag={ISTIO_VERSION}",
)


def _kubernetes(name: str, seconds: int) -> Binary:
    return Binary(name, f"k8s.io/kubernetes/cmd/{name}", seconds, _KUBERNETES_VARIABLES)


def _istio(name: str, package: str, seconds: int) -> Binary:
    return Binary(name, f"istio.io/istio/{package}", seconds, _ISTIO_VARIABLES)


_PROVIDER_MODULE = "github.com/pulumi/pulumi-kubernetes/provider/v4"
_PROVIDER_FILES = "cmd/pulumi-resource-kubernetes"

MODULES: tuple[Module, ...] = (
    Module(
        "kubernetes-provider",
        (
            Binary(
                "pulumi-resource-kubernetes",
                ".",
                490,
                (
                    f"main.version={PULUMI_KUBERNETES_VERSION}",
                    f"{_PROVIDER_MODULE}/pkg/version.Version={PULUMI_KUBERNETES_VERSION}",
                ),
            ),
        ),
        beside={
            "schema.json": (_PROVIDER_MODULE, f"{_PROVIDER_FILES}/schema.json"),
            "terraform-mapping.json": (_PROVIDER_MODULE, f"{_PROVIDER_FILES}/terraform-mapping.json"),
        },
    ),
    Module(
        "kubernetes",
        (
            _kubernetes("kube-apiserver", 325),
            _kubernetes("kube-controller-manager", 57),
            _kubernetes("kube-scheduler", 4),
            _kubernetes("kubelet", 17),
            _kubernetes("kube-proxy", 8),
            _kubernetes("kubectl", 10),
        ),
    ),
    Module(
        "pulumi",
        (
            Binary(
                "pulumi",
                "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
                254,
                (f"github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v{PULUMI_VERSION}",),
            ),
        ),
    ),
    # Apart from pulumi: the bridge needs a tablewriter that does not compile with the glamour that the CLI needs.
    Module("random-provider", (Binary("pulumi-resource-random", ".", 68, (f"main.version={PULUMI_RANDOM_VERSION}",)),)),
    Module(
        "istio",
        (
            _istio("pilot-discovery", "pilot/cmd/pilot-discovery", 280),
            _istio("pilot-agent", "pilot/cmd/pilot-agent", 7),
            _istio("istioctl", "istioctl/cmd/istioctl", 31),
        ),
        beside={"envoy_bootstrap.json": ("istio.io/istio", "tools/packaging/common/envoy_bootstrap.json")},
    ),
    Module("coredns", (Binary("coredns", ".", 60),)),
    Module(
        "language-python",
        (
            Binary(
                "pulumi-language-python",
                "github.com/pulumi/pulumi/sdk/python/cmd/pulumi-language-python/v3",
                55,
                (f"github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v{PULUMI_VERSION}",),
            ),
        ),
        # The language host starts the program through this script, which must stand beside it.
        beside={
            "pulumi-language-python-exec": (
                "github.com/pulumi/pulumi/sdk/v3",
                "python/cmd/pulumi-language-python-exec",
            )
        },
    ),
    Module("etcd", (Binary("etcd", "go.etcd.io/etcd/server/v3", 46),)),
    Module("http-echo", (Binary("http-echo", "github.com/hashicorp/http-echo", 20),)),
    Module("fortio", (Binary("fortio", "fortio.org/fortio", 13),)),
    Module("pause", (Binary("pause", ".", 1),)),
)
"""What the lab is made of; its images and its node are created again when one of these changes."""

CHECKERS: tuple[Module, ...] = (
    Module("actionlint", (Binary("actionlint", "github.com/rhysd/actionlint/cmd/actionlint", 4),)),
    Module(
        "language-yaml", (Binary("pulumi-language-yaml", "github.com/pulumi/pulumi-yaml/cmd/pulumi-language-yaml", 75),)
    ),
    Module("sdk-codegen", (Binary("sdk-codegen", ".", 30),)),
)
"""What the tests alone use; no lab waits for them."""
