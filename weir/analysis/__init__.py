"""Whether one version is worse than another, with the chance of being wrong stated: pure, without I/O or a clock."""

from weir.analysis.comparison import Comparison
from weir.analysis.counts import Counts
from weir.analysis.intervals import Interval
from weir.analysis.verdict import Decision, More, Share, Verdict

__all__ = ["Comparison", "Counts", "Decision", "Interval", "More", "Share", "Verdict"]
