"""Choosing under a budget: which trunk, size and precision, by measuring them."""

from ninebrains.exporting.choosing.budget import Budget, Candidate
from ninebrains.exporting.choosing.choosing import Choice, Scope, choose
from ninebrains.exporting.choosing.finishing import export_choice

__all__ = ["Budget", "Candidate", "Choice", "Scope", "choose", "export_choice"]
