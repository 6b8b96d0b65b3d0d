"""How many pods a version has: so many, as many as its autoscaler says, or as many as somebody else says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import PlainValidator, WithJsonSchema, model_validator

from weir.model.config.base import Part, key, required
from weir.model.config.kubernetes_parts import PartialObject
from weir.model.values.numbers import FromOne, whole
from weir.model.values.problems import shown

EXTERNAL: Literal["external"] = "external"
"""In the place of a number of pods: somebody else, such as an autoscaler, owns it."""


def replicas(value: Any) -> int | Literal["external"]:
    """A number of pods, or external. Raises ValueError."""
    if value == EXTERNAL:
        return EXTERNAL
    try:
        return whole(value, 0)
    except ValueError:
        raise ValueError(f"must be a whole number of at least 0, or {EXTERNAL}, was {shown(value)}") from None


Replicas = Annotated[
    int | Literal["external"],
    PlainValidator(replicas),
    WithJsonSchema(
        {
            "title": f"whole number from 0, or {EXTERNAL}",
            "anyOf": [
                {"type": "integer", "minimum": 0, "maximum": 2**31 - 1},
                {"type": "string", "pattern": "^[0-9]+$"},
                {"const": EXTERNAL},
            ],
        }
    ),
]


class Autoscaling(Part):
    """A HorizontalPodAutoscaler for each version, which owns the number of its pods."""

    message = "HorizontalPodAutoscalerSpec"

    min_replicas: FromOne = key("the least pods, with which a version begins", 1, example=2)
    max_replicas: FromOne = required("the most pods", example=10)
    metrics: tuple[Mapping[str, Any], ...] = key(
        "what it goes by, in Kubernetes' words; 80 % of the cpu that pods request when left out",
        (),
        example=[
            {
                "type": "Resource",
                "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}},
            }
        ],
    )
    behavior: PartialObject | None = key(
        "how fast it goes up and down, in Kubernetes' words",
        example={"scaleDown": {"stabilizationWindowSeconds": 60}},
    )

    @model_validator(mode="after")
    def _least_is_no_more_than_most(self) -> Autoscaling:
        if self.min_replicas > self.max_replicas:
            raise ValueError(
                f"minReplicas must not be above maxReplicas, was {self.min_replicas} above {self.max_replicas}"
            )
        return self
