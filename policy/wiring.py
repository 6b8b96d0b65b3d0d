"""From rules to Pulumi's policies: which resource, which stack, which config, and where messages go."""

from __future__ import annotations

from typing import Any

from pulumi_policy import (
    EnforcementLevel,
    PolicyConfigSchema,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)

from policy.known import known
from policy.rule import Resource, Rule, StackRule, kind_of
from weir.visible import visible


def resource_policy(rule: Rule) -> ResourceValidationPolicy:
    """The rule as a policy that Pulumi asks about each resource before it makes or changes it."""

    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        if not rule.is_about(args.resource_type):
            return
        given, stack = known(args.get_config()), _stack(args.urn)
        settings = rule.settings(given)
        found = rule.judge(known(args.props), settings, stack) if rule.holds_in(stack, settings) else []
        for message in (*rule.misspelt(given), *found):
            report(visible(message), None)

    return ResourceValidationPolicy(rule.name, rule.description, validate, _level(rule), _schema(rule))


def stack_policy(rule: StackRule) -> StackValidationPolicy:
    """The rule as a policy that Pulumi asks about the stack as a whole."""

    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        if not args.resources:
            return
        given, stack = known(args.get_config()), _stack(args.resources[0].urn)
        settings = rule.settings(given)
        resources = [Resource(kind_of(resource.resource_type), known(resource.props)) for resource in args.resources]
        found = rule.judge(resources, settings, stack) if rule.holds_in(stack, settings) else []
        for message in (*rule.misspelt(given), *found):
            report(visible(message), None)

    return StackValidationPolicy(rule.name, rule.description, validate, _level(rule), _schema(rule))


def _level(rule: Rule | StackRule) -> EnforcementLevel:
    return EnforcementLevel.ADVISORY if rule.advisory else EnforcementLevel.MANDATORY


def _schema(rule: Rule | StackRule) -> PolicyConfigSchema:
    properties: dict[str, dict[str, Any]] = {
        name: {**option.schema, "default": option.default, "description": option.description}
        for name, option in rule.all_options().items()
    }
    return PolicyConfigSchema(properties)


def _stack(urn: str) -> str:
    """The stack's name, of `urn:pulumi:STACK::PROJECT::TYPE::NAME`.

    Not from pulumi.get_stack(): an engine that starts packs through the language host, as 3.259 does, sets no
    PULUMI_STACK, and pulumi_policy keeps only the tags of what it is told instead; it would say "stack".
    """
    return urn.removeprefix("urn:pulumi:").partition("::")[0]
