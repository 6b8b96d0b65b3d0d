"""Scalars of the config: what each takes, and what it says of what it does not take."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from weir.model import Duration
from weir.model.values.durations import length_or_none, ready_timeout
from weir.model.values.hosts import gateway_reference
from weir.model.values.http import retry_conditions
from weir.model.values.names import env_name, image, label, service_name
from weir.model.values.numbers import percent, whole
from weir.model.values.text import text, yes_or_no


@pytest.mark.parametrize(
    ("written", "nanoseconds"),
    [
        ("3s", 3 * 10**9),
        ("500ms", 5 * 10**8),
        ("1m30s", 90 * 10**9),
        ("1.5h", 5400 * 10**9),
        (".5s", 5 * 10**8),
        ("1000µs", 10**6),
        ("+1s", 10**9),
    ],
)
def test_durations_have_gos_syntax(written: str, nanoseconds: int) -> None:
    """Istio's documentation writes durations as Go does; what was written is kept for the objects."""
    assert Duration.parse(written) == Duration(written, nanoseconds)


@pytest.mark.parametrize(
    ("written", "number"),
    [(20, "20"), (0.5, "0.5"), (0.1, "0.1"), ("0.5", "0.5"), (33.3333, "33.3333"), (100.0, "100.0"), ("0e9", "0")],
)
def test_percentages_are_exact(written: Any, number: str) -> None:
    """A tenth is a tenth and not the nearest binary float; text counts, because `pulumi config set --path` stores
    fractions as text.
    """
    assert percent(written) == Decimal(number)


@pytest.mark.parametrize(
    "reference",
    [
        "curlimages/curl:latest",
        "http-echo",
        "localhost:5000/a/b:1.0_x",
        "registry.example.com/team/app@sha256:" + "a" * 64,
        "[::1]:5000/app",
        "a/b__c/d--e",
    ],
)
def test_image_references_of_every_form_are_taken(reference: str) -> None:
    """Registry, port, tag and digest are all part of the grammar that container runtimes read."""
    assert image(reference) == reference


def test_retry_conditions_come_as_list_or_as_istios_text() -> None:
    """Both spellings mean the same, and a status code is a condition."""
    assert retry_conditions("5xx, reset,503") == retry_conditions(["5xx", "reset", 503]) == ("5xx", "reset", "503")


@pytest.mark.parametrize(("given", "taken"), [(8080, "8080"), (True, "true"), ("1.10", "1.10"), ("", "")])
def test_arguments_and_variables_are_text(given: Any, taken: str) -> None:
    """`PORT: 8080` is what people write, and what `pulumi config set --path` makes of it."""
    assert text(given) == taken


def count(value: Any) -> int:
    """A whole number of at least one."""
    return whole(value, 1)


REFUSED: list[tuple[Callable[[Any], Any], Any, str]] = [
    (Duration.parse, "3", 'must be a number with a unit (ms, s, m or h) such as 3s or 500ms, was "3"'),
    (Duration.parse, "３s", 'must be a number with a unit (ms, s, m or h) such as 3s or 500ms, was "３s"'),
    (Duration.parse, "1.5ms", 'must be whole milliseconds, was "1.5ms"'),
    (Duration.parse, "-1s", 'must be at least 1ms, was "-1s"'),
    (Duration.parse, "9999999h", 'must be at most 2562047h, was "9999999h"'),
    (Duration.parse, None, "must be a duration such as 3s or 500ms, was empty"),
    (ready_timeout, "500ms", 'must be at least 1s, was "500ms"'),
    (percent, True, "must be a number from 0 to 100, was true"),
    (percent, "half", 'must be a number from 0 to 100, was "half"'),
    (percent, float("nan"), "must be a number from 0 to 100, was nan"),
    (percent, 100.5, "must be from 0 to 100, was 100.5"),
    (percent, 0.00001, "must have at most 4 decimals, was 1e-05; Envoy cannot hold a finer share"),
    (percent, {"value": 50}, "must be a plain number from 0 to 100, was {value: 50}; write 50"),
    (count, 1.5, "must be a whole number of at least 1, was 1.5"),
    (count, True, "must be a whole number of at least 1, was true"),
    (yes_or_no, 1, "must be true or false, was 1"),
    (text, 1.10, "must be text, was 1.1; write it in quotes"),
    (text, {"secure": "v1:x"}, "must be text, was a mapping with secure"),
    (
        retry_conditions,
        [],
        "must be a list of conditions such as gateway-error, connect-failure or 503, was a list of 0",
    ),
    (label, "a" * 64, "must be at most 63 characters, was 64"),
    (service_name, "1st", 'must start with a letter, as the name of a Kubernetes Service does, was "1st"'),
    (
        gateway_reference,
        "public.edge.svc.cluster.local",
        'must be written namespace/name, was "public.edge.svc.cluster.local"; write edge/public',
    ),
    (gateway_reference, "public.edge", 'must be written namespace/name, was "public.edge"; write edge/public'),
    (length_or_none, "0s", 'must be at least 1ms, was "0s"; write none for no limit'),
    (
        env_name,
        "1A",
        "not a valid name of an environment variable; use letters, digits, '_', '-' and '.', not starting with a digit",
    ),
    (image, "App:1", 'must be an image reference such as registry.example.com/team/app:1.0, was "App:1"'),
    (
        image,
        "app@sha256:abc",
        'must be an image reference such as registry.example.com/team/app:1.0, was "app@sha256:abc"',
    ),
    (image, "a/" * 128 + "app", "must have a name of at most 255 characters, was 259"),
]


@pytest.mark.parametrize(
    ("parse", "value", "message"), REFUSED, ids=[f"{parse.__name__}-{str(value)[:20]}" for parse, value, _ in REFUSED]
)
def test_a_wrong_value_is_quoted_with_what_would_be_right(
    parse: Callable[[Any], Any], value: Any, message: str
) -> None:
    """Each message says what must be, and what was."""
    with pytest.raises(ValueError, match=r"\S") as refused:
        parse(value)
    assert str(refused.value) == message
