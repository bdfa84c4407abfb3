"""What people say about answers, and the photos that are kept to learn from.

answers ─► intake ─► photos (waiting │ low confidence │ unfamiliar)
feedback ─► records, photos (disputed) ─► export ─► train
"""

from ninebrains.serving.feedback.exporting import LEAST, Export, export
from ninebrains.serving.feedback.feedback import Feedback, Stored
from ninebrains.serving.feedback.truths import NONE

__all__ = ["LEAST", "NONE", "Export", "Feedback", "Stored", "export"]
