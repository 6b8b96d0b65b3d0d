"""A Prometheus, asked by its HTTP API, or what else speaks it (Thanos, Mimir, VictoriaMetrics).

https://prometheus.io/docs/prometheus/latest/querying/api/
"""

from __future__ import annotations

import http.client
import json
import math
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from weir.errors import WeirError
from weir.measurement.errors import MeasurementError

FRESH_SECONDS = 90
"""Samples older than this are no data: one scrape at Prometheus' own default of a minute, and some."""

ASK_SECONDS = 5.0
"""From one question to the next: targets are scraped each five seconds at most, and each fifteen mostly."""

_SECONDS = 5.0
_MOST_BYTES = 64 * 2**20


class PrometheusError(MeasurementError):
    """Prometheus did not answer, or not with what was asked for; it may, later."""


class QueryError(WeirError):
    """Prometheus refuses a query. Waiting does not help."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The newest sample of a series. `at`: when it was scraped, in seconds since 1970 by the clock of Prometheus."""

    labels: Mapping[str, str]
    at: float
    value: float


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Headers that are secret go to the address that was configured, and to no other one."""

    def redirect_request(self, *_: Any) -> None:
        return None


class Prometheus:
    """Where it answers, and the headers that go with each question, in the clear."""

    def __init__(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        self.url = url.rstrip("/")
        self._headers = {"Accept": "application/json", **(headers or {})}
        self._opener = urllib.request.build_opener(_NoRedirects)

    def now(self) -> float:
        """Its clock, in seconds since 1970. Raises PrometheusError."""
        kind, found = self._query("time()")
        if kind != "scalar":
            raise self._unknown(f"time() is a {kind}")
        return float(found[1])

    def samples(self, selector: str) -> list[Sample]:
        """The newest sample of each series that the selector finds and that is fresh.

        They are read with the moment of their scrape, which an instant vector does not tell: it has the moment of the
        question. Raises PrometheusError, QueryError.
        """
        kind, found = self._query(f"{selector}[{FRESH_SECONDS}s]")
        if kind != "matrix":
            raise self._unknown(f"{selector} is a {kind}")
        newest = [
            Sample(each["metric"], float(at), float(value)) for each in found for at, value in each["values"][-1:]
        ]
        return [sample for sample in newest if math.isfinite(sample.value)]

    def value(self, query: str) -> float | None:
        """The one value of a query; None where it has none, be it no series or NaN. Raises PrometheusError, and
        QueryError for a query that gives several values.
        """
        kind, found = self._query(query)
        if kind == "vector":
            if len(found) > 1:
                raise QueryError(
                    f"{query} gives {len(found):,} values where one is wanted; put sum(), max() or the like around it"
                )
            found = found[0]["value"] if found else (0, "NaN")
        elif kind != "scalar":
            raise QueryError(f"{query} is a {kind}, and no value; leave out [ ] and offset at its end")
        value = float(found[1])
        return None if math.isnan(value) else value

    def _query(self, query: str) -> tuple[str, Any]:
        """The type of the result, and the result."""
        asked = urllib.parse.urlencode({"query": query, "timeout": f"{_SECONDS:.0f}s"})
        request = urllib.request.Request(f"{self.url}/api/v1/query?{asked}", headers=self._headers)
        try:
            with self._opener.open(request, timeout=_SECONDS) as answer:
                text = answer.read(_MOST_BYTES + 1)
        except urllib.error.HTTPError as error:
            with error:
                raise self._refused(query, error.code, error.read(_MOST_BYTES)) from None
        except (OSError, http.client.HTTPException) as error:
            raise PrometheusError(f"Prometheus at {self.url} does not answer: {_words(error)}") from None
        if len(text) > _MOST_BYTES:
            raise PrometheusError(
                f"Prometheus at {self.url} answers with more than {_MOST_BYTES >> 20} MiB to {query}; drop labels that "
                "nobody needs when it scrapes (metric_relabel_configs)"
            )
        try:
            data = json.loads(text)["data"]
            return str(data["resultType"]), data["result"]
        except (ValueError, KeyError, TypeError):
            raise self._unknown("what comes is no answer of Prometheus' HTTP API") from None

    def _refused(self, query: str, code: int, text: bytes) -> WeirError:
        """What an answer that is no success means."""
        try:
            said = str(json.loads(text)["error"])
        except (ValueError, KeyError, TypeError):
            said = ""
        if code == 400 and said:
            return QueryError(f"Prometheus at {self.url} refuses {query}: {said[:300]}")
        if code in (401, 403):
            return PrometheusError(
                f"Prometheus at {self.url} lets nobody in without leave ({code}); see headers of weir:prometheus"
            )
        hint = "" if said else "; see url of weir:prometheus"
        return PrometheusError(
            f"Prometheus at {self.url} answers with {code} to {query}{said and ': '}{said[:300]}{hint}"
        )

    def _unknown(self, what: str) -> PrometheusError:
        return PrometheusError(f"Prometheus at {self.url}: {what}; see url of weir:prometheus")


def _words(error: Exception) -> str:
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    return str(reason) or type(reason).__name__
