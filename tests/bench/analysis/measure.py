"""How often weir's analysis is wrong and how long it takes, by simulation, beside what others decide by.

Every figure is of the real `Comparison`. Each rollout has a random generator of its own, seeded by the seed of the run,
the case and a number: the same seed gives the same figures on any number of processors.
"""

from __future__ import annotations

import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import islice
from typing import Any

from tests.bench.analysis import latency
from tests.bench.analysis.draws import LOOKS, SECONDS, Look, alike, steady
from tests.bench.analysis.rules import Knowing, MannWhitney, PooledZ, Rule, Threshold, Weir
from weir.analysis import NO_WORSE, Comparison, Counts

ALPHA = 0.01
HOUR = 3600

# Name → share of failures of the stable version and of the canary, its weight, requests a second, and what is wanted:
# median, 90th percentile, failed requests of the canary.
DETECTION: dict[str, tuple[float, float, float, int, float | None, float | None, float | None]] = {
    "0.1 % → 5 %, 10 % of 100/s": (0.001, 0.05, 0.1, 100, 7, 13, 4),
    "0.1 % → 1 %, 10 % of 100/s": (0.001, 0.01, 0.1, 100, 47, 114, None),
    "0.1 % → 50 %, 1 % of 100/s": (0.001, 0.5, 0.01, 100, 4, None, 2),
    "0.5 % → 1 %, 10 % of 200/s": (0.005, 0.01, 0.1, 200, 164, None, None),
    "0.2 % → 1 %, 10 % of 100/s": (0.002, 0.01, 0.1, 100, None, None, None),
}
# Name → base rate, weight, wanted median; at 100 requests a second.
PROOF = {
    "base 1 %, 10 % of 100/s": (0.01, 0.1, 105),
    "base 1 %, 50 % of 100/s": (0.01, 0.5, 60),
    "base 0.1 %, 10 % of 100/s": (0.001, 0.1, 905),
    "base 0.1 %, 50 % of 100/s": (0.001, 0.5, 450),
    "no failure at all, 10 % of 100/s": (0.0, 0.1, None),
}
LATENCY = {
    "all answers 2 times slower": 2,
    "all answers 1.2 times slower": 32,
    "2 % of the answers 10 times slower": 85,
}
MOST_OF_BEST = 1.4

TIGHT = "weir, nothing tolerated"
RULES: dict[str, Callable[[], Rule]] = {
    TIGHT: lambda: Weir(Comparison(worse=1, tolerated=0)),
    "weir, defaults": lambda: Weir(Comparison()),
    "threshold: 99 % in each minute": Threshold,
    "Mann-Whitney each minute, 5 %": MannWhitney,
    "pooled z-test at each look, 1 %": PooledZ,
}


def measure(seed: int, rollouts: int, processes: int | None = None) -> dict[str, Any]:
    """The whole report. `rollouts` without a difference; the other rows take a part of that each."""
    processes = processes or os.cpu_count() or 1
    with ProcessPoolExecutor(processes) as pool:

        def run(what: str, one: Callable[[random.Random], Any], count: int) -> list[Any]:
            began = time.perf_counter()
            found = list(pool.map(partial(_seeded, one, f"{seed}/{what}"), range(count), chunksize=max(1, count // 64)))
            print(f"{what}: {count} rollouts, {time.perf_counter() - began:.0f} s", file=sys.stderr)
            return found

        return {
            "seed": seed,
            "alpha": ALPHA,
            "noDifference": _no_difference(run, rollouts),
            "steadyThreshold": _steady_threshold(run, rollouts),
            "detection": [_detection(run, name, rollouts) for name in DETECTION],
            "latency": [_latency(run, name, max(1, rollouts // 25)) for name in latency.CASES],
            "proof": [_proof(run, name, max(1, rollouts // 10)) for name in PROOF],
            "falseProof": _false_proof(run, max(1, rollouts // 5)),
            "look": _cost(),
        }


Run = Callable[[str, Callable[[random.Random], Any], int], list[Any]]


def _seeded(one: Callable[[random.Random], Any], name: str, number: int) -> Any:
    return one(random.Random(f"{name}/{number}"))


def aborted_at(looks: Iterable[Look], rules: dict[str, Rule]) -> dict[str, tuple[float, int] | None]:
    """Rule → when it aborted, and how many requests of the canary had failed by then; None: never."""
    found: dict[str, tuple[float, int] | None] = dict.fromkeys(rules)
    failed, left = 0, dict(rules)
    for look in looks:
        failed += look.canary_bad
        for name, rule in list(left.items()):
            if rule.aborts(look):
                found[name] = look.at, failed
                del left[name]
        if not left:
            break
    return found


def no_difference(generator: random.Random) -> dict[str, tuple[float, int] | None]:
    """One rollout of ten minutes without a difference, before all rules."""
    return aborted_at(alike(generator), {name: make() for name, make in RULES.items()})


def _no_difference(run: Run, rollouts: int) -> dict[str, Any]:
    found = run("no difference", no_difference, rollouts)
    by_rule: dict[str, Any] = {}
    for name in RULES:
        times = [each[name][0] for each in found if each[name] is not None]
        by_rule[name] = {
            "aborted": len(times),
            "share": len(times) / rollouts,
            "byMinute": [
                sum(at <= 60 * minute for at in times) / rollouts for minute in range(LOOKS * SECONDS // 60 + 1)
            ],
        }
    return {
        "rollouts": rollouts,
        "rules": by_rule,
        "wanted": ALPHA,
        "met": all(by_rule[name]["share"] <= ALPHA for name in RULES if name.startswith("weir")),
    }


def steady_threshold(generator: random.Random) -> bool:
    """Whether a threshold of 99 % aborts at 0.2 %, steady, 150 canary requests a look, twelve looks."""
    looks = islice(steady(generator, 1500, 0.1, 0.002, 0.002), 12)
    return aborted_at(looks, {"threshold": Threshold(window=1)})["threshold"] is not None


def _steady_threshold(run: Run, rollouts: int) -> dict[str, Any]:
    found = run("threshold, steady", steady_threshold, rollouts)
    return {"rollouts": rollouts, "share": sum(found) / rollouts}


def detection(name: str, others: bool, generator: random.Random) -> dict[str, tuple[float, int] | None]:
    """One rollout with a canary that is worse, for an hour at most: before weir at no tolerance of odds and tests that
    know the rates, or before the others.
    """
    stable, canary, weight, requests, *_ = DETECTION[name]
    rules: dict[str, Rule] = {each: make() for each, make in RULES.items() if each != TIGHT}
    if not others:
        rules = {
            TIGHT: Weir(Comparison(worse=1)),
            "best: drift allowed": Knowing(stable, canary, weight, drift=True),
            "best: no drift": Knowing(stable, canary, weight, drift=False),
        }
    return aborted_at(islice(steady(generator, requests, weight, stable, canary), HOUR), rules)


def _detection(run: Run, name: str, rollouts: int) -> dict[str, Any]:
    *_, median, high, failed = DETECTION[name]
    rules: dict[str, dict[str, Any]] = {}
    for others, part in ((False, 5), (True, 50)):
        found = run(name, partial(detection, name, others), max(1, rollouts // part))
        rules |= {rule: _times([each[rule] for each in found]) for rule in found[0]}
    weir = rules[TIGHT]
    of_best = weir["mean"] / rules["best: drift allowed"]["mean"]
    wanted = {"median": median, "p90": high, "failed": failed}
    return {
        "case": name,
        "rules": rules,
        "timesBest": round(of_best, 2),
        "wanted": {key: value for key, value in {**wanted, "timesBest": MOST_OF_BEST}.items() if value is not None},
        "met": of_best <= MOST_OF_BEST
        and all(value is None or (weir[key] is not None and weir[key] <= value) for key, value in wanted.items()),
    }


def slow(name: str, generator: random.Random) -> int | None:
    """Seconds until a canary with other times is called worse, at no tolerance of odds."""
    most = 300 if name in LATENCY else 120
    return latency.seconds_until_worse(generator, latency.CASES[name], Comparison(worse=1, latency_worse=1), most)


def _latency(run: Run, name: str, rollouts: int) -> dict[str, Any]:
    found = run(f"times: {name}", partial(slow, name), rollouts)
    times = _times([None if each is None else (each, 0) for each in found])
    wanted = LATENCY.get(name)
    return {
        "case": name,
        **times,
        "wanted": {"median": wanted} if wanted else {"seen": ALPHA},
        "met": times["seen"] <= ALPHA if wanted is None else times["median"] is not None and times["median"] <= wanted,
    }


def proof(name: str, generator: random.Random) -> int:
    """Seconds until a canary without a difference is shown to be less than twice as bad."""
    base, weight, _ = PROOF[name]
    return _until_proven(generator, base, base, weight, 6 * HOUR) or 6 * HOUR


def _proof(run: Run, name: str, rollouts: int) -> dict[str, Any]:
    found = run(f"proof: {name}", partial(proof, name), rollouts)
    wanted = PROOF[name][2]
    times = _times([(each, 0) for each in found])
    return {
        "case": name,
        **times,
        "wanted": {} if wanted is None else {"median": wanted},
        "met": wanted is None or times["median"] <= wanted,
    }


def false_proof(generator: random.Random) -> bool:
    """Whether a canary that is exactly twice as bad is called no worse within ten minutes."""
    return _until_proven(generator, 0.01, 0.02 / 1.01, 0.1, 600) is not None


def _false_proof(run: Run, rollouts: int) -> dict[str, Any]:
    share = sum(run("exactly twice the odds", false_proof, rollouts)) / rollouts
    return {"case": "1 % → twice the odds", "rollouts": rollouts, "share": share, "wanted": 0.05, "met": share <= 0.05}


def _until_proven(generator: random.Random, stable: float, canary: float, weight: float, most: int) -> int | None:
    comparison = Comparison(false_aborts=1e-9)
    for look in islice(steady(generator, 100, weight, stable, canary), most):
        verdict = comparison.look(
            stable=Counts(look.stable, look.stable_bad), canary=Counts(look.canary, look.canary_bad)
        )
        if verdict.decision == NO_WORSE:
            return int(look.at)
    return None


def _times(found: Sequence[tuple[float, int] | None]) -> dict[str, Any]:
    """Median, 90th percentile (None: not seen by then) and mean of the seconds; failed requests; how many were seen."""
    times = sorted([each[0] for each in found if each is not None])
    failed = [each[1] for each in found if each is not None]

    def quantile(share: float) -> float | None:
        place = int(share * len(found))
        return times[place] if place < len(times) else None

    return {
        "median": quantile(0.5),
        "p90": quantile(0.9),
        "mean": round(statistics.fmean(times), 2) if times else None,
        "failed": statistics.median(failed) if failed else None,
        "seen": round(len(times) / len(found), 4),
        "rollouts": len(found),
    }


def _cost() -> dict[str, Any]:
    """Milliseconds of one look with 40 bounds, best of five, by the requests of the stable version in it."""
    bounds = [0.001 * 1.3**place for place in range(40)]
    found = {}
    for requests in (1_000, 100_000, 10_000_000):
        stable, canary = (
            Counts(each, each // 100, {bound: int(each / (1 + bound / 0.05)) for bound in bounds})
            for each in (requests, requests // 10)
        )
        comparison, best = Comparison(), float("inf")
        for _ in range(5):
            began = time.process_time()
            comparison.look(stable=stable, canary=canary)
            best = min(best, time.process_time() - began)
        found[f"{requests:,}"] = round(1000 * best, 1)
    return {"bounds": len(bounds), "milliseconds": found, "wanted": 50, "met": max(found.values()) < 50}
