"""The arguments of a component, checked as the stack config is: by the same rules, with the same messages, at the path
of the argument.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import pulumi
from pydantic.alias_generators import to_camel

from components.args import ClusterArgs
from weir.model import ConfigError, StackConfig, load
from weir.model.values.problems import Problem, dotted
from weir.secret import Secret

_OURS = ("namespace", "cluster", "stack", "workload")
"""What is no key of the config."""
_MANY = 2_000_000_000
"""A number of pods that nobody asks for; from here on a number stands for one that only the running program knows."""


class Checked:
    """A config with one service, client or gateway, and what in it only the running program knows."""

    config: StackConfig

    def __init__(self, component: str, kind: str, name: str, args: Any) -> None:
        """`kind`: the key of the stack config that has such things by name. Raises RunError with all that is wrong, a
        line each.
        """
        self._outputs: dict[Any, pulumi.Output[Any]] = {}
        if args.stack is not None:
            self.config = args.stack
            return
        namespace = args.namespace if isinstance(args.namespace, str) else "namespace"
        try:
            self.config = load(
                {
                    "namespace": namespace,
                    "createNamespace": False,
                    **_settings(args.cluster),
                    kind: {name: self._written(args)},
                }
            )
        except ConfigError as error:
            raise pulumi.RunError(
                "\n".join(f'{component} "{name}": {_told(problem)}' for problem in error.problems)
            ) from None

    def filled(self, tree: Any) -> Any:
        """A manifest, or a part of one, with the Outputs in their places."""
        if not self._outputs:
            return tree
        if isinstance(tree, Mapping):
            return {key: self.filled(value) for key, value in tree.items()}
        if isinstance(tree, list | tuple):
            return [self.filled(value) for value in tree]
        if isinstance(tree, Secret):
            return self._outputs.get(tree.text, tree)
        return self._outputs.get(tree, tree) if isinstance(tree, str | int) else tree

    def _written(self, value: Any, key: str = "") -> Any:
        """What would stand in a stack file."""
        if is_dataclass(value) and not isinstance(value, type):
            given = {each.name: getattr(value, each.name) for each in fields(value) if each.name not in _OURS}
            if isinstance(workload := getattr(value, "workload", None), str):
                given["workload"] = workload
            return {to_camel(name): self._written(inner, name) for name, inner in given.items() if inner is not None}
        if isinstance(value, pulumi.Output):
            return self._placeholder(value, key)
        if isinstance(value, Mapping):
            # Of the environment's variables each may be secret, which nobody knows before the program runs.
            return {name: self._written(inner, key) for name, inner in value.items()}
        if isinstance(value, Sequence) and not isinstance(value, str):
            return [self._written(inner, key) for inner in value]
        return value

    def _placeholder(self, value: pulumi.Output[Any], key: str) -> Any:
        number = len(self._outputs)
        stands = _MANY + number if key == "replicas" else f"weir.invalid/output:{number}"
        self._outputs[stands] = value
        return Secret(str(stands)) if key == "env" else stands


def _settings(args: ClusterArgs) -> dict[str, Any]:
    return {
        "kubeconfig": args.kubeconfig,
        "kubeContext": args.kube_context,
        "clusterDomain": args.cluster_domain,
        "readyTimeout": args.ready_timeout,
        "propagation": {
            "timeout": args.propagation_timeout,
            "grace": args.propagation_grace,
            "istiodNamespace": args.istiod_namespace,
        },
    }


def _told(problem: Problem) -> str:
    inside = problem.path[2:]
    return f"{dotted(inside).removeprefix('weir:')}: {problem.message}" if inside else problem.message
