"""Many brains as one graph: each part that they share is computed once."""

from ninebrains.mind.guests import Guest, import_model

__all__ = ["Guest", "import_model"]
