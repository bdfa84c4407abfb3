"""The demo: photos of machine parts, drawn here, so that everything can be tried on any machine.

parts, strangers ─► scene (grounds, lighting) ─► camera ─► photos ─► folder
"""

from ninebrains.demo.folder import DemoFolder
from ninebrains.demo.parts import PARTS
from ninebrains.demo.photos import (
    PHOTOS_PER_LABEL,
    draw_photo,
    shown_in,
    write_new_photos,
    write_training_photos,
)
from ninebrains.demo.strangers import STRANGERS

__all__ = [
    "PARTS",
    "PHOTOS_PER_LABEL",
    "STRANGERS",
    "DemoFolder",
    "draw_photo",
    "shown_in",
    "write_new_photos",
    "write_training_photos",
]
