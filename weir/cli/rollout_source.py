"""Where the numbers of a rollout come from: callers' Envoys, or Prometheus, and the metrics of the user's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from weir.analysis import Counts
from weir.cli.context import Context
from weir.cli.rollout_steps import Answered, counts
from weir.engine.secrets import revealed
from weir.errors import UsageError
from weir.measurement.answers import BOUNDS as ENVOY_BOUNDS
from weir.measurement.answers import Answers
from weir.measurement.clusters import measured
from weir.measurement.mesh_metrics import BOUNDS, EnvoyMetrics, IstioMetrics, MeshMetrics
from weir.measurement.prometheus import Prometheus
from weir.measurement.scraped import Scraped
from weir.model import traffic
from weir.model.config.rollout import Rollout
from weir.model.config.stack import Service
from weir.model.manifests.istio import external_host
from weir.rollout.member import since_begin
from weir.rollout.metrics import Metrics
from weir.rollout.protocols import Source
from weir.rollout.state import State
from weir.rollout.times import Times
from weir.secret import Secret

ONCE_SECONDS = 75.0
"""How long a process looks that is to do what is due and no more: counting takes two scrapes of each caller, which are
15 to 30 seconds apart mostly.
"""

TIMES_SECONDS = 60.0
"""How long a step waits for the first times: a scrape may have counts of answers before their times."""


def once_seconds(context: Context) -> float | None:
    """How long `weir rollout --once` has to look, where that is longer than otherwise."""
    return None if context.config.prometheus.url is None else ONCE_SECONDS


def sources(
    context: Context, states: Sequence[State], tell: Callable[[str], None]
) -> tuple[Source, dict[str, Metrics]]:
    """What counts the requests of a rollout, and what looks at the user's metrics, by service. `tell`: told once why
    there is nothing to count, or less than all. Raises UsageError, EngineError.
    """
    prometheus = client(context)
    for state in states:
        if settings_since_begin(context, state) != context.service(state.service).rollout:
            tell(
                f"{state.service}: analysis or metrics of the config are others than when the rollout of "
                f"{state.version} began; it goes by those of its begin until it is over"
            )
        _same_bounds(state, ENVOY_BOUNDS if prometheus is None else BOUNDS)
    if prometheus is None:
        answered = Answered(context, states, tell)
        return answered, {each.service: Metrics(also_waits=partial(answered.waits, each.service)) for each in states}
    scraped = {state.service: Scraped(prometheus, _mesh_metrics(context, state)) for state in states}
    counted = FromPrometheus(scraped, states, tell)
    metrics = {}
    for state in states:
        settings = settings_since_begin(context, state)
        waits = partial(counted.waits, state.service)
        metrics[state.service] = Metrics(prometheus, settings, state, context.namespace, waits)
    return counted, metrics


def settings_since_begin(context: Context, state: State) -> Rollout:
    """The service's rollout config, with what it said of the comparison when the rollout began."""
    return since_begin(state, context.service(state.service).rollout)


def tried(context: Context, states: Sequence[State]) -> None:
    """Ask all that a rollout is going to ask of Prometheus, before anything moves: a query that it refuses is found
    then. Raises PrometheusError, QueryError, UsageError, EngineError.
    """
    if context.config.prometheus.url is not None:
        source, metrics = sources(context, states, lambda _: None)
        source.look()
        for each in metrics.values():
            each.try_out()


def client(context: Context) -> Prometheus | None:
    """The stack's Prometheus; None where it has none. Raises EngineError where a secret cannot be read."""
    settings = context.config.prometheus
    if settings.url is None:
        return None
    headers = {
        name: revealed(context.engine, f'weir:prometheus.headers["{name}"]') if isinstance(value, Secret) else value
        for name, value in settings.headers.items()
    }
    return Prometheus(settings.url, headers)


class FromPrometheus:
    """The answers of the two versions of each service, from Prometheus."""

    def __init__(self, scraped: Mapping[str, Scraped], states: Sequence[State], tell: Callable[[str], None]) -> None:
        """`scraped`: by service."""
        self._scraped, self._tell = scraped, tell
        self._versions = {each.service: (each.compared, each.version) for each in states}
        self._told = dict.fromkeys(scraped, "")
        self._times = {each.service: Times(each, TIMES_SECONDS, tell) for each in states}

    def look(self) -> dict[str, tuple[Counts, Counts]]:
        """Those of the stable version and of the new one since the last look, by service; not of one of which
        Prometheus has nothing that is fresh. Raises PrometheusError, QueryError.
        """
        seen = {}
        for service, scraped in self._scraped.items():
            found = scraped.look()
            if scraped.why != self._told[service]:
                self._told[service] = scraped.why
                if scraped.why:
                    self._tell(scraped.why)
            if found is not None:
                stable, version = (found.get(name, Answers()) for name in self._versions[service])
                seen[service] = counts(stable, version, BOUNDS)
                self._times[service].count(seen[service][1])
        return seen

    def anew(self) -> None:
        """What was scraped until now belongs to no look."""
        for service in self._versions:
            self._scraped[service].anew()
            self._times[service].anew()

    def waits(self, service: str) -> str:
        """Why a step of the service does not end. Failures of no version may be the new one's: while there are any,
        nothing shows that it is no worse.
        """
        scraped = self._scraped[service]
        if not scraped.unknown:
            return scraped.why or self._times[service].waits
        return (
            f"{scraped.unknown:,} failed requests of {service} reached no pod in this step, and Istio's "
            "metrics do not tell of which version they were; flavour: envoy of weir:prometheus does"
        )


def _mesh_metrics(context: Context, state: State) -> MeshMetrics:
    settings = context.service(state.service)
    host = context.config.host(state.service, context.namespace)
    resolved = traffic(settings, context.namespace)
    if context.config.prometheus.flavour == "envoy":
        return EnvoyMetrics(measured(settings, resolved, host))
    elsewhere = {
        external_host(version, host) if place.external else place.host: version
        for version, place in resolved.elsewhere.items()
    }
    labels = {
        version: value
        for version in settings.with_pods
        if (value := settings.told_apart_by(version).get("version")) is not None
    }
    versions = {value: version for version, value in labels.items() if list(labels.values()).count(value) == 1}
    workloads = _workloads(state.service, settings)
    for version in (state.compared, state.version):
        if version not in {*versions.values(), *workloads.values(), *elsewhere.values()}:
            raise UsageError(
                f"Istio's metrics tell versions apart by the label version of their pods, or by the name of what runs "
                f"them, and {version} of {state.service} has neither; say flavour: envoy in weir:prometheus"
            )
    return IstioMetrics(host, versions, workloads, elsewhere)


def _workloads(service: str, settings: Service) -> dict[str, str]:
    """Version by the name of what runs its pods, of those that weir knows."""
    found = {}
    for version in settings.with_pods:
        own = settings.versions[version]
        if own.workload is not None:
            found[own.workload.partition("/")[2]] = version
        elif own.image or settings.image:
            found[f"{service}-{version}"] = version
    return found


def _same_bounds(state: State, bounds: tuple[float, ...]) -> None:
    """Raise UsageError where the rollout has compared times at other bounds, which another source has."""
    if set(state.evidence.get("bounds", ())) - set(bounds):
        raise UsageError(
            f"the rollout of {state.service} was begun with times from another source: weir:prometheus has come or "
            f"gone meanwhile. Put it back, or end the rollout: weir abort {state.service}"
        )
