"""How `weir rollout` begins: what is typed, what the config says of it, and what is refused before anything is done."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from weir.cli.context import Context
from weir.cli.rollout_begin import parse, require_steps, states_of
from weir.errors import UsageError
from weir.rollout.state import Step

SERVICE = """\
    {name}:
      image: app:1
      versions: {{v1: {{}}, v2: {{}}, v3: {{}}}}
      stable: v1
      canary: {{v3: 40}}
      rollout: {rollout}
"""


@pytest.fixture
def context(tmp_path: Path) -> Context:
    (tmp_path / "Pulumi.yaml").write_text("name: weir\nruntime: python\n")
    (tmp_path / "Pulumi.dev.yaml").write_text(
        "config:\n  weir:namespace: demo\n  weir:services:\n"
        + SERVICE.format(name="backend", rollout="{steps: [5, {share: 25, gate: manual}], pause: 5m}")
        + SERVICE.format(name="cart", rollout="{steps: [5, 50]}")
    )
    return Context("dev", file=tmp_path / "Pulumi.dev.yaml")


@pytest.mark.parametrize(
    ("typed", "versions"),
    [
        ("backend v2", {"backend": "v2"}),
        ("backend", {"backend": None}),
        ("backend=v2 cart=v3", {"backend": "v2", "cart": "v3"}),
        ("backend=v2", {"backend": "v2"}),
    ],
)
def test_one_service_or_several_are_named(typed: str, versions: dict[str, str | None]) -> None:
    """With a version each, or alone to go on."""
    assert parse(tuple(typed.split())) == versions


@pytest.mark.parametrize(
    "typed", ["backend v2 cart", "backend=v2 cart", "backend= cart=v3", "backend=v2 backend=v3", "=v2"]
)
def test_what_could_mean_two_things_is_refused(typed: str) -> None:
    """With the way to say it."""
    with pytest.raises(UsageError, match="several services are named SERVICE=VERSION"):
        parse(tuple(typed.split()))


def test_steps_are_those_of_the_config_unless_they_are_typed(context: Context) -> None:
    """So is the pause of each."""
    (state,) = states_of(context, {"backend": "v2"}, None, None, "weir rollout backend v2")
    assert state.steps == (Step(Decimal(5), 300), Step(Decimal(25), 300, manual=True))
    assert (state.stable, state.version, state.together, state.phase) == ("v1", "v2", (), "begun")
    (state,) = states_of(context, {"backend": "v2"}, None, "0s", "")
    assert state.steps == (Step(Decimal(5), 0), Step(Decimal(25), 0, manual=True))
    both = states_of(context, {"backend": "v2", "cart": "v2"}, "10,60", "2s", "")
    assert [each.steps for each in both] == [(Step(Decimal(10), 2), Step(Decimal(60), 2))] * 2
    assert [each.services for each in both] == [("backend", "cart")] * 2


@pytest.mark.parametrize(
    ("versions", "steps", "pause", "said"),
    [
        ({"backend": "v4"}, None, None, "backend has no version v4 (versions: v1, v2, v3)"),
        ({"backend": "v1"}, None, None, "v1 is the stable version of backend already, and gets all that canaries leave"),
        ({"backend": "v2"}, "5,a", None, "--steps must be a number from 0 to 100, was \"a\""),
        ({"backend": "v2"}, "50,5", None, "--steps must ascend, was 50, 5"),
        ({"backend": "v2"}, None, "soon", "--pause must be a number with a unit (ms, s, m or h) such as 3s or 500ms, was \"soon\""),
        ({"backend": "v2", "cart": "v2"}, None, None,
         "backend and cart have different steps in the config, and go through them as one: give --steps"),
    ],
)  # fmt: skip
def test_what_cannot_begin_is_refused(
    context: Context, versions: dict[str, str], steps: str | None, pause: str | None, said: str
) -> None:
    """In words, and before anything is read from the cluster."""
    with pytest.raises(UsageError) as refused:
        states_of(context, versions, steps, pause, "")
    assert str(refused.value) == said


def test_none_begins_whose_steps_the_config_would_refuse(context: Context) -> None:
    """v3 has 40 % of the requests: there is no room for a step of 75 %."""
    before = context.path.read_text()
    require_steps(context, states_of(context, {"backend": "v2"}, "5,60", None, ""))
    with pytest.raises(UsageError, match=r"the config would not be sound at 75 %, and nothing was begun:\n.*canary"):
        require_steps(context, states_of(context, {"backend": "v2"}, "5,75", None, ""))
    assert context.path.read_text() == before


def controlled(context: Context, *edits: tuple[str, str]) -> Context:
    """The rollout of backend asks for a control; with these edits of the file."""
    text = context.path.read_text()
    for old, new in (("pause: 5m}", "pause: 5m, control: true}"), *edits):
        assert old in text
        text = text.replace(old, new, 1)
    context.path.write_text(text)
    return context.anew()


def test_a_control_is_named_after_the_stable_version(context: Context) -> None:
    """Where the config asks for one."""
    (state,) = states_of(context, {"backend": "v2"}, None, None, "")
    assert (state.control, state.compared) == ("", "v1")
    context = controlled(context)
    (state,) = states_of(context, {"backend": "v2"}, None, None, "")
    assert (state.control, state.compared) == ("v1-control", "v1-control")
    # v3 has 40 % of the requests: the control gets what is left.
    require_steps(context, states_of(context, {"backend": "v2"}, "5,60", None, ""))


def test_what_a_killed_rollout_has_left_is_its_control(context: Context) -> None:
    """One of that name that is anything else is somebody else's."""
    left = controlled(
        context, ("v1: {}, v2: {}", "v1: {args: [a]}, v2: {replicas: 2}, v1-control: {args: [a], replicas: 2}")
    )
    assert [each.control for each in states_of(left, {"backend": "v2"}, None, None, "")] == ["v1-control"]
    context.path.write_text(context.path.read_text().replace("{args: [a], replicas: 2}", "{args: [b], replicas: 2}"))
    with pytest.raises(UsageError) as refused:
        states_of(left.anew(), {"backend": "v2"}, None, None, "")
    assert str(refused.value) == (
        "backend has a version v1-control, which is what its rollout calls the control of v1; give it another name, or "
        "take control: true out"
    )


def test_a_control_that_cannot_be_is_refused(context: Context) -> None:
    """Before anything is begun: one whose pods weir does not make, and one whose name would be too long."""
    text = context.path.read_text()
    foreign = controlled(context, ("v1: {}", "v1: {workload: deployment/shop}"))
    with pytest.raises(UsageError, match="backend can have no control, which its rollout asks for: weir makes no pods"):
        states_of(foreign, {"backend": "v2"}, None, None, "")
    context.path.write_text(text)
    name = "v" * 50
    long = controlled(context, ("v1: {}", f"{name}: {{}}"), ("stable: v1", f"stable: {name}"))
    with pytest.raises(UsageError, match=rf"nothing was begun:\n.*{name}-control: "):
        require_steps(long, states_of(long, {"backend": "v2"}, None, None, ""))
