"""Networks from elsewhere that join a mind beside brains."""

from ninebrains.mind.guests.guest import Guest, import_model

__all__ = ["Guest", "import_model"]
