"""Choosing under a budget: which trunk, size and precision, by measuring them."""

from ninebrains.exporting.choosing.budget import Budget, Candidate
from ninebrains.exporting.choosing.choosing import Choice, Scope, choose

__all__ = ["Budget", "Candidate", "Choice", "Scope", "choose"]
