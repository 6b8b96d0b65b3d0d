"""The figures of the analysis for docs/: a table, and one plot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.bench.analysis.measure import RULES, TIGHT

DOCS = Path(__file__).resolve().parents[3] / "docs"
PAGE, PLOT = DOCS / "guide" / "how-weir-decides.md", DOCS / "guide" / "aborted.svg"
BEGIN, END = "<!-- from make bench: begin -->", "<!-- from make bench: end -->"

_COLOURS = ("#1a7f37", "#0969da", "#9a6700", "#8250df", "#cf222e")
_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM = 720, 330, 50, 20, 90


def write(report: dict[str, Any]) -> None:
    """The table into its place in the page, and the plot beside it."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n{table(report)}\n{END}{after}")
    PLOT.write_text(plot(report["noDifference"]))


def table(report: dict[str, Any]) -> str:
    """All rows, in Markdown."""
    good = report["noDifference"]
    weir = [_percent(good["rules"][name]["share"]) for name in good["rules"] if name.startswith("weir")]
    others = ", ".join(
        f"{name} {_percent(each['share'])}" for name, each in good["rules"].items() if not name.startswith("weir")
    )
    rows = [
        (
            f"no difference, {good['rollouts']:,} rollouts",
            "at most 1 % aborted",
            f"{weir[0]}; with the defaults {weir[1]}",
            others,
        )
    ]
    for each in report["detection"]:
        rules = each["rules"]
        tight, known = rules[TIGHT], rules["best: drift allowed"]
        peers = [name for name in rules if name in RULES and not name.startswith("weir")]
        rows.append(
            (
                each["case"],
                _wanted(each["wanted"]),
                f"{_times(tight)}, {tight['failed']:g} failed, {each['timesBest']:g} times the best",
                "; ".join(
                    [
                        f"weir's defaults {_times(rules['weir, defaults'])}",
                        f"best {_times(known)}",
                        *(f"{name.split(':')[0]} {_times(rules[name])}" for name in peers),
                    ]
                ),
            )
        )
    for each in report["latency"]:
        seen = f"{_percent(each['seen'])} called worse" if each["case"] == "no difference" else _times(each)
        rows.append((f"times: {each['case']}", _wanted(each["wanted"]), seen, ""))
    rows += [(f"proof, {each['case']}", _wanted(each["wanted"]), _times(each), "") for each in report["proof"]]
    wrong = report["falseProof"]
    rows.append((f"proof, {wrong['case']}, ten minutes", "at most 5 %", _percent(wrong["share"]), ""))
    head = ["| case | wanted | weir | beside |", "| --- | --- | --- | --- |"]
    return "\n".join([*head, *(f"| {' | '.join(row)} |" for row in rows)])


def plot(good: dict[str, Any]) -> str:
    """Good releases that each rule has aborted, minute by minute, as SVG."""
    wide, high = _WIDTH - _LEFT - 20, _HEIGHT - _TOP - _BOTTOM
    minutes = len(next(iter(good["rules"].values()))["byMinute"]) - 1

    def at(minute: float, share: float) -> str:
        return f"{_LEFT + wide * minute / minutes:.1f},{_TOP + high * (1 - share):.1f}"

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" '
        f'font-size="12"><title>Good releases aborted, by minute</title>'
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>'
    ]
    for share in (0, 0.25, 0.5, 0.75, 1):
        parts.append(f'<polyline points="{at(0, share)} {at(minutes, share)}" stroke="#d0d7de" fill="none"/>')
        parts.append(
            f'<text x="{_LEFT - 6}" y="{_TOP + high * (1 - share) + 4:.1f}" text-anchor="end">{share:.0%}</text>'
        )
    for minute in range(0, minutes + 1, 2):
        below = at(minute, 0).split(",")[0]
        parts.append(f'<text x="{below}" y="{_TOP + high + 18}" text-anchor="middle">{minute} min</text>')
    for number, (name, each) in enumerate(good["rules"].items()):
        points = " ".join(at(minute, share) for minute, share in enumerate(each["byMinute"]))
        colour = _COLOURS[number]
        parts.append(f'<polyline points="{points}" stroke="{colour}" stroke-width="2" fill="none"/>')
        x, y = _LEFT + (number % 2) * wide / 2, _HEIGHT - 50 + number // 2 * 18
        parts.append(
            f'<text x="{x:.0f}" y="{y}" fill="{colour}">{name}: {_percent(each["share"]).replace(" ", "&#160;")}</text>'
        )
    return "\n".join([*parts, "</svg>", ""])


def _wanted(wanted: dict[str, Any]) -> str:
    words = {"median": "median {:g} s", "p90": "90 % within {:g} s", "failed": "{:g} failed", "seen": "at most {:.0%}"}
    words["timesBest"] = "at most {:g} times the best"
    return ", ".join(words[key].format(value) for key, value in wanted.items())


def _times(times: dict[str, Any]) -> str:
    if times["median"] is None:
        return f"seen in {_percent(times['seen'])}"
    return f"{times['median']:g} s" + ("" if times["p90"] is None else f" ({times['p90']:g} s)")


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 0.995 else f"{100 * share:.0f} %"
