"""Where a lab keeps its data: in ``.weir/`` of the project it was started from, one lab a project (the directory of
Pulumi.yaml).
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from lab.errors import LabError


@dataclass(frozen=True, slots=True)
class LabPaths:
    """The files of one lab. ``lab`` is removed by ``weir lab down``, with everything below it."""

    project: Path

    @property
    def weir(self) -> Path:
        """All that weir keeps in a checkout; git ignores it."""
        return self.project / ".weir"

    @property
    def lab(self) -> Path:
        """The node's directory."""
        return self.weir / "lab"

    @property
    def lock(self) -> Path:
        """Held while the lab is started or removed."""
        return self.weir / "lab.lock"

    @property
    def state(self) -> Path:
        """The Pulumi state of the stacks on this lab, and its passphrase: removed with the lab that it describes."""
        return self.weir / "state"

    @property
    def bin(self) -> Path:
        """Links to the tools in use, one directory for PATH."""
        return self.lab / "bin"

    @property
    def logs(self) -> Path:
        """A log for each process of the node."""
        return self.lab / "logs"

    @property
    def pki(self) -> Path:
        """Keys, certificates, and the components' kubeconfigs."""
        return self.lab / "pki"

    @property
    def launch(self) -> Path:
        """What `lab up` knows of the node it started: process, addresses, and from which tools and images."""
        return self.lab / "launch.json"

    @property
    def node_state(self) -> Path:
        """What the node's supervisor says of its processes; written by it alone."""
        return self.lab / "node.json"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig, for use from the host."""
        return self.lab / "kubeconfig"

    @property
    def identity(self) -> str:
        """Eight hexadecimal digits that differ from checkout to checkout."""
        return sha256(str(self.project).encode()).hexdigest()[:8]

    @property
    def home(self) -> Path:
        """In it stands the path of the project whose lab this is: a copied checkout has the data of another one's."""
        return self.weir / "home"

    def settle(self) -> None:
        """Write down whose lab this is."""
        self.weir.mkdir(parents=True, exist_ok=True)
        self.home.write_text(str(self.project), encoding="utf-8")

    def require_own(self) -> None:
        """Raises LabError where the data is of a lab of another checkout, whose cluster and state it would be taken
        for.
        """
        home = self.home.read_text(encoding="utf-8") if self.home.is_file() else str(self.project)
        if home != str(self.project):
            raise LabError(
                f"{self.weir} belongs to the lab of {home} and was copied here: that cluster and the state of its "
                f"stacks are not this checkout's. For a lab here: rm -r {self.weir}, then weir lab up. If you moved "
                "the checkout, first move it back and end the lab there: weir lab down."
            )

    @property
    def cgroup(self) -> str:
        """The cgroup of the node and its pods, below the root of every hierarchy."""
        return f"weir-{self.identity}"


# Addresses inside the lab's own network namespace: the benchmark range 198.18.0.0/15 of RFC 2544, which no network
# routes.
POD_RANGE = "198.18.0.0/24"
NODE_ADDRESS = "198.18.0.1"
SERVICE_RANGE = "198.19.0.0/24"
API_SERVICE_ADDRESS = "198.19.0.1"
NODE_NAME = "weir-lab"
CONTEXT = "weir-lab"
# In the node's own mount namespace the lab's directory stands at this short path: socket paths end at 108 bytes.
INSIDE = Path("/run/weir")
CONTAINERD_SOCKET = Path("/run/containerd/containerd.sock")
