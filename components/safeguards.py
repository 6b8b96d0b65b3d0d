"""Pulumi resource hooks that keep a change from losing requests: they read the cluster before a resource changes, and
refuse the change or make it wait.

They run within a plain `pulumi up`. Hooks that only read run in previews too, so that a refusal is seen in the pull
request. Where nothing relevant changes, the cluster is not read.
"""

from __future__ import annotations

from itertools import count
from typing import Any
from weakref import WeakKeyDictionary

import pulumi

from components.acknowledgement import Acknowledgement
from components.args import ClusterArgs
from components.cluster import Cluster
from components.constructed import CONSTRUCTED
from components.drift import Drift
from components.failure_reasons import FailureReasons
from components.ownership import Ownership
from components.propagation import Propagation
from components.readiness import Readiness
from components.rewriting import Rewriting
from components.subsets import Subsets
from components.warned import warn
from weir.model import Duration
from weir.model.config.stack import Propagation as PropagationConfig


class Safeguards:
    """The hooks of one run of a program, by what they guard. `bare`, `rules`, `routes` and `pods` are what to bind to
    objects of each sort.
    """

    bare: pulumi.ResourceHookBinding
    rules: pulumi.ResourceHookBinding
    pods: pulumi.ResourceHookBinding
    routes: pulumi.ResourceHookBinding

    def __init__(self, args: ClusterArgs, more: str = "") -> None:
        """Register the hooks; nothing is asked yet. `more`: what tells their names from those of others in the
        program.
        """
        force = args.force
        settings = PropagationConfig.model_validate(
            {
                "timeout": args.propagation_timeout,
                "grace": args.propagation_grace,
                "istiodNamespace": args.istiod_namespace,
            }
        )
        self.force, self.ready_timeout = force, args.ready_timeout
        self.places: dict[object, Any] = {}
        self.cluster = Cluster(args)
        patience = Duration.parse(args.ready_timeout)
        self.ownership = Ownership(self.cluster, adopt=args.adopt, patience=patience)
        self.drift = Drift(self.cluster, force=force)
        self.propagation = Propagation(self.cluster, settings)
        self.acknowledgement = Acknowledgement(self.cluster, self.propagation, force=force)
        self.rewriting = Rewriting(self.cluster, self.acknowledgement)
        self.readiness = Readiness(self.cluster, self.propagation, self.acknowledgement, patience=patience, force=force)
        self.subsets = Subsets(self.cluster, self.propagation, self.acknowledgement, self.readiness, force=force)
        seen = pulumi.ResourceHookOptions(on_dry_run=True)
        adopt = pulumi.ResourceHook(f"not-somebody-elses{more}", self.ownership.refuse_others, seen)
        known = pulumi.ResourceHook(f"proxies-know-the-versions{more}", self.subsets.known, seen)
        idle = pulumi.ResourceHook(f"no-requests-to-what-goes{more}", self.readiness.refuse_used, seen)
        remade = pulumi.ResourceHook(f"pods-that-change{more}", self.readiness.note_remade, seen)
        edited = pulumi.ResourceHook(f"not-edited-by-hand{more}", self.drift.refuse_edited, seen)
        changing = pulumi.ResourceHook(f"rules-that-change{more}", self.acknowledgement.note)
        failed = pulumi.ErrorHook(f"failure-reasons{more}", FailureReasons(self.cluster).tell)
        self.bare = pulumi.ResourceHookBinding(before_create=[adopt])
        self.pods = pulumi.ResourceHookBinding(
            before_create=[adopt, remade], before_update=[remade, idle], on_error=[failed]
        )
        self.rules = pulumi.ResourceHookBinding(before_create=[adopt, changing], before_update=[edited, changing])
        self.routes = pulumi.ResourceHookBinding(
            before_create=[adopt, known, changing], before_update=[edited, known, changing]
        )
        for on, what in (
            (args.adopt, "adopt is on: objects that weir did not create are taken over"),
            (force, "force is on: requests may be lost"),
        ):
            if on:
                warn(f"weir:{what}")


_RUNS: WeakKeyDictionary[object, dict[ClusterArgs, Safeguards]] = WeakKeyDictionary()
_CONSTRUCTED = count(1)


def safeguards(args: ClusterArgs) -> Safeguards:
    """Those of this run of the program for a cluster. A process may run programs one after the other, each with a
    monitor of its own.
    """
    mine = _RUNS.setdefault(pulumi.runtime.settings.get_monitor(), {})
    if args not in mine:
        # Each component of a package has a monitor of its own, and all have hooks in the one program.
        more = f"-constructed-{next(_CONSTRUCTED)}" if CONSTRUCTED.get() else f"-{len(mine)}" if mine else ""
        mine[args] = Safeguards(args, more)
    return mine[args]
