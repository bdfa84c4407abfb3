"""From a data set and a trunk to a brain with honest numbers.

photos → features (cached) → heads with out-of-sample scores → the best one → brain + record
"""

from ninebrains.training.evaluating import Evaluation, evaluate
from ninebrains.training.recipe import Recipe
from ninebrains.training.record import Outcome, Record, load_record, save_record
from ninebrains.training.training import train

__all__ = [
    "Evaluation",
    "Outcome",
    "Recipe",
    "Record",
    "evaluate",
    "load_record",
    "save_record",
    "train",
]
