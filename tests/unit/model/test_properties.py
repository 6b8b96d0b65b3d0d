"""What holds for every config: drawn ones are accepted, rendered, read back and compared, and broken ones are refused
where they are broken.
"""

from __future__ import annotations

import copy
import json
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any, Literal, get_args, get_origin

import pytest
from hypothesis import given, seed
from hypothesis import strategies as st

from tests.unit.model.broken_configs import Mistake, bad_values, broken_configs, clash_name, mistakes
from tests.unit.model.config_places import fields, is_part, places, plain
from tests.unit.model.hypothesis_rounds import in_rounds, tens
from tests.unit.model.refused_values import CLASHES
from tests.unit.model.strategies import configs, splits
from weir import yaml_writer
from weir.model import ConfigError, StackConfig, load, mesh, percentages, read, traffic
from weir.model.config.base import Part
from weir.model.config.environment import EnvValue, Variable
from weir.model.manifests.hosts import read_host
from weir.model.reference import reachable
from weir.model.routing.hosts import entrance, host_traffic
from weir.secret import Secret

PARTS = tuple(reachable(StackConfig))
KINDS = {
    "Namespace",
    "ServiceAccount",
    "Service",
    "Deployment",
    "PodDisruptionBudget",
    "HorizontalPodAutoscaler",
    "DestinationRule",
    "ServiceEntry",
    "VirtualService",
    "Gateway",
}


@in_rounds(15)
@tens
@given(configs())
def test_a_valid_config_becomes_the_same_objects_each_time(raw: dict[str, Any]) -> None:
    """Loading and rendering are functions: no order, clock or chance is in them, and what they give is plain JSON,
    each object once.
    """
    objects = list(mesh(load(raw), raw["namespace"]).objects())
    assert objects == list(mesh(load(raw), raw["namespace"]).objects())
    assert json.dumps(objects) == json.dumps(list(mesh(load(json.loads(json.dumps(raw))), raw["namespace"]).objects()))
    assert all(_is_json(each) for each in objects)
    names = [(each["kind"], each["metadata"]["name"]) for each in objects]
    assert len(set(names)) == len(names)
    assert {kind for kind, _ in names} <= KINDS


@in_rounds(15)
@tens
@given(configs(least=1))
def test_objects_read_back_are_the_traffic_they_were_made_of(raw: dict[str, Any]) -> None:
    """What weir reads out of a cluster in its own terms is what it wrote there."""
    config = load(raw)
    made = mesh(config, config.namespace)
    for name, service in config.services.items():
        parts = made.services[name]
        rules = [rule for version in parts.versions.values() if (rule := version.destination_rule)]
        stored = json.loads(
            json.dumps([parts.virtual_service, *rules, *([parts.host_rule] if parts.host_rule else [])])
        )
        assert read(stored[0], stored[1:]) == traffic(service, config.namespace)
        if parts.entrance:
            assert read_host(parts.entrance.virtual_service) == entrance(name, config, config.namespace)
    for host, objects in made.hosts.items():
        assert read_host(json.loads(json.dumps(objects.virtual_service))) == host_traffic(
            host, config, config.namespace
        )


@in_rounds(20)
@tens
@given(splits(("v2", "v3", "v4")))
def test_weights_are_exactly_the_percentages(canary: dict[str, Any]) -> None:
    """Weights are whole numbers in the ratio of the percentages, for every share that can be written."""
    versions: dict[str, Any] = {"v1": {}, "v2": {}, "v3": {}, "v4": {}}
    service = load(
        {"namespace": "demo", "services": {"a": {"versions": versions, "stable": "v1", "canary": canary}}}
    ).services["a"]
    [route] = traffic(service, "demo").routes
    total = sum(route.weights.values())
    assert {version: Fraction(weight, total) for version, weight in route.weights.items()} == {
        version: Fraction(percent) / 100 for version, percent in percentages(*service.split(service)).items()
    }


@in_rounds(15)
@tens
@given(configs())
def test_a_program_gets_the_config_of_the_file(raw: dict[str, Any]) -> None:
    """Pulumi hands mappings over as JSON and the booleans at the top as text; the config is the same."""
    handed = {key: value if isinstance(value, str) else json.dumps(value) for key, value in raw.items()}
    assert load(handed) == load(raw)


@in_rounds(15)
@tens
@given(configs(least=1), st.data())
def test_a_key_left_empty_counts_as_left_out(raw: dict[str, Any], data: st.DataObject) -> None:
    """`fault:` with nothing behind it is no fault, anywhere in the config."""
    emptied = copy.deepcopy(raw)  # What is drawn is in part the same each time, and must stay so.
    free = [(emptied, key) for key in _free(StackConfig, emptied)]
    for place in places(emptied):
        if not place.key and is_part(place.annotation) and isinstance(place.value, dict):
            free += [(place.value, key) for key in _free(place.annotation, place.value)]
    holder, key = data.draw(st.sampled_from(free))
    holder[key] = None
    assert load(emptied) == load(raw)


def _free(part: type[Part], written: Mapping[str, Any]) -> Iterator[str]:
    """The keys that may be left out and are."""
    for name, field in part.model_fields.items():
        key = field.alias or name
        if not field.is_required() and key not in written:
            yield key


@in_rounds(15)
@tens
@given(broken_configs())
def test_a_broken_config_is_refused_where_it_is_broken(broken: tuple[dict[str, Any], Mistake]) -> None:
    """One mistake anywhere is said at its place, in plain words, and never crashes anything."""
    raw, mistake = broken
    _assert_refused(raw, mistake)


@in_rounds(15)
@tens
@given(configs(least=1), st.data())
def test_a_secret_may_be_the_value_of_a_variable_or_a_webhook_and_nothing_else(
    raw: dict[str, Any], data: st.DataObject
) -> None:
    """Anywhere else it is refused at its place; and no error, object or text ever has what it is."""
    written = copy.deepcopy(raw)
    values = [place for place in places(written) if not place.key]
    secrets = [
        place
        for place in values
        if place.annotation in (Variable, EnvValue) or (place.path[0], place.path[-1]) == ("notify", "url")
    ]
    place = data.draw(st.sampled_from(secrets or values) | st.sampled_from(values))
    place.holder[place.path[-1]] = Secret("hunter2")
    if place not in secrets:
        with pytest.raises(ConfigError) as refused:
            load(written)
        assert any(problem.path == place.path[: len(problem.path)] for problem in refused.value.problems), (
            place.path,
            str(refused.value),
        )
        assert "hunter2" not in str(refused.value)
        return
    config = load(written)
    objects = list(mesh(config, config.namespace).objects())
    assert "hunter2" not in f"{config!r} {objects}"
    assert "hunter2" not in yaml_writer.dump(objects)
    assert all(list(each["stringData"].values()) == [Secret("hunter2")] for each in objects if each["kind"] == "Secret")


def test_every_mistake_is_refused() -> None:
    """Each wrong value, each pair of keys that clash, each missing or unknown key, once, in some config where it can
    be made.
    """
    made: set[tuple[str, str]] = set()

    @tens
    @given(configs(least=1, most=2))
    def make(raw: dict[str, Any]) -> None:
        for mistake in mistakes(raw):
            if (mistake.kind, mistake.about) not in made:
                _assert_refused(mistake.made(raw), mistake)
                made.add((mistake.kind, mistake.about))

    clashes = {
        ("clash", clash_name(part, number)) for part, several in CLASHES.items() for number in range(len(several))
    }
    for number in range(100):
        seed(number)(make)()
        if clashes <= made:
            break
    assert clashes <= made


def _assert_refused(raw: dict[str, Any], mistake: Mistake) -> None:
    with pytest.raises(ConfigError) as refused:
        load(raw)
    assert any(mistake.is_said_by(problem.path) for problem in refused.value.problems), (mistake, str(refused.value))
    assert "pydantic" not in str(refused.value)
    assert len(str(refused.value).splitlines()) == len(refused.value.problems)


def test_every_key_and_every_word_is_drawn() -> None:
    """A key of the model, or a word that one may have, without a strategy fails here: no property above would ever
    meet it.
    """
    keys: defaultdict[type[Part], set[str]] = defaultdict(set)
    words: defaultdict[tuple[type[Part], str], set[str]] = defaultdict(set)

    def note(part: Any) -> None:
        if isinstance(part, Part):
            for name in part.model_fields_set:
                key, value = type(part).model_fields[name].alias or name, getattr(part, name)
                keys[type(part)].add(key)
                if isinstance(value, str):
                    words[type(part), key].add(value)
                note(value)
        for inner in part.values() if isinstance(part, Mapping) else part if isinstance(part, tuple | list) else ():
            note(inner)

    @tens
    @given(configs(least=1, most=2))
    def collect(raw: dict[str, Any]) -> None:
        note(load(raw))

    def missing() -> Iterator[str]:
        for part in PARTS:
            for key, annotation in fields(part).items():
                if key not in keys[part]:
                    yield f"{part.__name__}.{key}"
                elif get_origin(annotation) is Literal:
                    yield from (
                        f"{part.__name__}.{key}: {word}"
                        for word in get_args(annotation)
                        if word not in words[part, key]
                    )

    # Seeded, so that what fails is not chance. All are met within some twenty rounds.
    for number in range(100):
        seed(number)(collect)()
        if not any(missing()):
            break
    assert list(missing()) == []


def test_every_kind_of_value_has_wrong_ones() -> None:
    """A kind of value of which nobody has said what it must not be fails here: no mistake above would ever meet it."""
    kinds = {
        f"{part.__name__}.{key}": kind
        for part in PARTS
        for key, annotation in fields(part).items()
        for kind in _scalars(annotation)
    }
    assert [name for name, kind in kinds.items() if kind not in (str, Any) and not bad_values(kind)] == []
    assert [part.__name__ for part in CLASHES if part not in PARTS] == []


def _scalars(annotation: Any) -> Iterator[Any]:
    if get_origin(annotation) in (Mapping, tuple):
        for inner in get_args(annotation):
            if inner is not Ellipsis:
                yield from _scalars(plain(inner))
    elif not is_part(annotation):
        yield annotation


def _is_json(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_json(inner) for key, inner in value.items())
    if isinstance(value, list):
        return all(map(_is_json, value))
    return isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value))
