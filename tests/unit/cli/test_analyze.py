"""`weir analyze`: recorded looks, a verdict, and lines that are no looks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from weir.analysis import Comparison, Counts, RecordError, replay
from weir.cli.analyze import command
from weir.errors import UsageError, VerdictError

GUIDE = Path(__file__).resolve().parents[3] / "docs" / "guide"
GOOD = ({"requests": 9_000, "failures": 90}, {"requests": 1_000, "failures": 9})
BAD = ({"requests": 900, "failures": 1}, {"requests": 100, "failures": 4})
FEW = ({"requests": 9, "failures": 0}, {"requests": 1, "failures": 0})


def line(at: float, pair: tuple[Any, Any], **more: Any) -> str:
    return json.dumps({"at": at, "stable": pair[0], "canary": pair[1], **more})


def analyze(text: str, *options: str) -> Result:
    return CliRunner().invoke(command, ["-", *options], input=text)


def test_a_worse_canary_ends_with_3_and_says_since_when() -> None:
    """The verdict, the shares of both, and the look that decided it."""
    result = analyze("\n".join(line(at, BAD) for at in range(1, 6)))
    assert isinstance(result.exception, VerdictError)
    assert result.exception.exit_code == 3
    assert str(result.exception) == "the canary is worse than the stable version, since 2 s"
    assert "5 looks, 1 to 5 s" in result.output
    assert "20 (4 %)" in result.output
    assert "5 (0.111 %)" in result.output


def test_a_canary_that_is_no_worse_ends_with_0() -> None:
    """And an undecided one, but for --strict; it says what is still needed."""
    assert "no worse than the stable version" in analyze(line(1, GOOD) + "\n" + line(2, GOOD)).output
    assert analyze(line(1, GOOD) + "\n" + line(2, GOOD), "--strict").exit_code == 0
    undecided = analyze(line(1, FEW))
    assert undecided.exit_code == 0
    assert "undecided" in undecided.output
    assert "more requests of the canary would show it to be no worse" in " ".join(undecided.output.split())
    strict = analyze(line(1, FEW), "--strict")
    assert isinstance(strict.exception, VerdictError)
    assert "--strict takes that for a no" in str(strict.exception)


def test_json_is_the_verdict_of_the_comparison(tmp_path: Path) -> None:
    """Anybody who computes it from the same counts, steps and settings has the same, whatever blank lines and a byte
    order mark are between.
    """
    with_times = [{**each, "slower": {"0.25": 3, "1": 0}} for each in BAD]
    file = tmp_path / "looks.jsonl"
    lines = [line(0.5, (with_times[0], with_times[1]), step=1), "", line(2, (with_times[0], with_times[1]), step=2)]
    file.write_text("\ufeff" + "\n".join(lines))
    options = ["--worse", "1.2", "--tolerated", "2", "--latency-worse", "3", "--margin", "4", "--false-aborts", "0.001"]
    result = CliRunner().invoke(command, [str(file), "--json", *options])

    comparison = Comparison(worse=1.2, tolerated=0.02, latency_worse=3, margin=4, false_aborts=0.001)
    slower = {0.25: 3, 1.0: 0}
    for step in (1, 2):
        if step == 2:
            comparison.begin_step()
        comparison.look(stable=Counts(900, 1, slower), canary=Counts(100, 4, slower))
    assert json.loads(result.output) == {**comparison.verdict().as_json(), "looks": 2, "since": 0.5}
    assert comparison.verdict().as_json()["decision"] == "undecided"


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("{", "is not valid JSON"),
        ("[1]", "a look must be an object with at, stable, canary"),
        ('{"at": NaN}', "is not valid JSON"),
        ('{"at": 1, "stable": {}}', "a look has no canary"),
        (line(3, BAD, stabel={}), "a look has the unknown key 'stabel', did you mean stable?"),
        (
            line(3, (BAD[0], {"requests": 1, "failure": 1})),
            "canary has the unknown key 'failure', did you mean failures?",
        ),
        (line(3, (BAD[0], {"requests": 1})), "canary has no failures"),
        (line(3, (BAD[0], 7)), "canary must be an object with requests, failures"),
        (line(3, ({"requests": 1, "failures": 2}, BAD[1])), r"stable: failures \(2\) are more than requests \(1\)"),
        (line(3, ({"requests": 1, "failures": 0, "slower": [1]}, BAD[1])), "stable: slower must have bounds"),
        (line(3, ({"requests": 1, "failures": 0, "slower": {"x": 1}}, BAD[1])), "stable: slower: 'x' is no number"),
        (line(3, ({"requests": -1, "failures": 0}, BAD[1])), "drop a look in which a counter fell"),
        (line(3, ({**BAD[0], "slower": {"1": 0}}, BAD[1])), "must have the same bounds"),
        (line(0.5, BAD), "at 0.5 s is before the look above it, at 1 s"),
        (line(3, BAD).replace("3,", '"3",', 1), "at must be a number of seconds, not '3'"),
        (line(3, BAD, step="one"), "step must be the number of the step, not 'one'"),
    ],
)
def test_a_line_that_is_no_look_is_named(bad: str, message: str) -> None:
    """By its number, with what is wrong; the exit code is 2."""
    result = analyze(f"{line(1, FEW)}\n\n{bad}\n{line(9, FEW)}")
    assert isinstance(result.exception, UsageError), result.exception
    assert result.exception.exit_code == 2
    with pytest.raises(UsageError, match=f"^-: line 3: .*{message}"):
        raise result.exception


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "has no look; a line of it is such as"), (b"\n\n", "has no look"), (b"\xff\xfe", "is not text in UTF-8")],
)
def test_a_file_without_looks_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    """As one that is not there is."""
    file = tmp_path / "looks.jsonl"
    file.write_bytes(content)
    result = CliRunner().invoke(command, [str(file)])
    assert isinstance(result.exception, UsageError)
    assert message in str(result.exception)
    missing = CliRunner().invoke(command, [str(tmp_path / "none")])
    assert "cannot be read: No such file" in str(missing.exception)


def test_the_look_that_is_shown_is_one() -> None:
    """The example of the message, and of the help."""
    refusal = str(analyze("").exception)
    assert analyze(refusal[refusal.index("{") :]).exit_code == 0


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [("--worse", "0.5", "worse must lie between 1 and"), ("--tolerated", "100", "tolerated must be a share")],
)
def test_settings_that_cannot_be_are_refused(option: str, value: str, message: str) -> None:
    """With exit code 2 and what they must be."""
    result = analyze(line(1, FEW), option, value)
    assert isinstance(result.exception, UsageError)
    assert message in str(result.exception)


def test_the_guide_shows_what_the_command_says() -> None:
    """Its example is a file beside it, and the output is word for word that of the command."""
    page = (GUIDE / "how-weir-decides.md").read_text()
    shown = page.split("$ weir analyze docs/guide/looks.jsonl\n")[1].split("```")[0]
    result = CliRunner(env={"COLUMNS": "80"}).invoke(command, [str(GUIDE / "looks.jsonl")])
    said = result.output.replace(str(GUIDE / "looks.jsonl"), "docs/guide/looks.jsonl")
    assert [line.rstrip() for line in said.splitlines()] == shown.splitlines()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["at", "step", "requests", "failures", "slower", "timed", "1", "x"]), inner)
    ),
    max_leaves=8,
)


@given(at=JSON, stable=JSON, canary=JSON, more=st.dictionaries(st.sampled_from(["step", "x"]), JSON, max_size=1))
def test_whatever_a_line_holds_it_is_a_look_or_is_refused(at: Any, stable: Any, canary: Any, more: Any) -> None:
    """By its number, and never by another error."""
    text = json.dumps({"at": at, "stable": stable, "canary": canary, **more})
    try:
        [(look, verdict)] = replay([text], Comparison())
    except RecordError as error:
        told = str(error)
    else:
        told = f"line 1: {verdict.stable.answers - look.stable.requests}"
    assert told.startswith("line 1: ")
    assert told[8:] == "0" or not told[8:].isdigit()
