"""The report: one web page that shows how good a brain is and where it fails."""

from ninebrains.reporting.writing import render_report, write_report

__all__ = ["render_report", "write_report"]
