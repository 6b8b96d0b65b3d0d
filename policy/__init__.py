"""The guardrails: a Pulumi policy pack that refuses changes nobody should make to running traffic.
docs/reference/policy.md lists its rules.
"""
