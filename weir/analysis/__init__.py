"""Whether one version is worse than another, with the chance of being wrong stated: pure, without I/O or a clock."""

from weir.analysis.comparison import Comparison
from weir.analysis.counts import Counts
from weir.analysis.intervals import CONFIDENCE, Interval
from weir.analysis.recorded import Look, RecordError, replay
from weir.analysis.verdict import NO_WORSE, UNDECIDED, WORSE, Decision, Judged, More, Share, Verdict

__all__ = [
    "CONFIDENCE",
    "NO_WORSE",
    "UNDECIDED",
    "WORSE",
    "Comparison",
    "Counts",
    "Decision",
    "Interval",
    "Judged",
    "Look",
    "More",
    "RecordError",
    "Share",
    "Verdict",
    "replay",
]
