"""Networks from elsewhere that join a mind beside brains."""

from ninebrains.mind.guests.beside import digest_of_source, files_beside, import_beside
from ninebrains.mind.guests.guest import Guest, import_model

__all__ = ["Guest", "digest_of_source", "files_beside", "import_beside", "import_model"]
