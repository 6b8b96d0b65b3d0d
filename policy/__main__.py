"""The policy pack as Pulumi starts it: the rules, wired to the engine; nothing else."""

from pulumi_policy import PolicyPack

from policy.pack import RULES, STACK_RULES
from policy.wiring import resource_policy, stack_policy

PolicyPack("weir", [*(resource_policy(rule) for rule in RULES), *(stack_policy(rule) for rule in STACK_RULES)])
