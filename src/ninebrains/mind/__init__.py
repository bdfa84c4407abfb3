"""Many brains as one graph: each part that they share is computed once."""

from ninebrains.mind.explaining import Explanation
from ninebrains.mind.guests import Guest, import_model
from ninebrains.mind.mind import Mind
from ninebrains.mind.requests import Inferences

__all__ = ["Explanation", "Guest", "Inferences", "Mind", "import_model"]
