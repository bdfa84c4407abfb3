"""Whether photos, and what is said about them, still are as they were in training.

answers ─► tally (by version and hour) ─► ledger ─► sums over workers ─► measures ─► page, metrics
"""

from ninebrains.serving.drift.drift import Drift
from ninebrains.serving.drift.measures import Measure
from ninebrains.serving.drift.report import VersionReport

__all__ = ["Drift", "Measure", "VersionReport"]
