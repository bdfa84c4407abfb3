"""From a brain to artefacts for other runtimes, each with the proof that it answers the same."""

from ninebrains.exporting.exporting import Export, ExportRecipe, export
from ninebrains.exporting.judging import Gate
from ninebrains.exporting.receipt import Receipt
from ninebrains.exporting.verifying import Verified, verify

__all__ = ["Export", "ExportRecipe", "Gate", "Receipt", "Verified", "export", "verify"]
