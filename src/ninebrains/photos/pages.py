"""The audit as one web page that needs nothing else."""

from __future__ import annotations

import base64
import io
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from ninebrains.errors import PhotoError
from ninebrains.images import decode, read_photo
from ninebrains.photos.dataset import printable

if TYPE_CHECKING:
    from ninebrains.photos.auditing import Audit

_THUMBNAIL_SIDE = 176
_FINDINGS = 24  # shown with thumbnails, for each kind
_PHOTOS = 6  # shown of each finding


def audit_page(audit: Audit) -> str:
    """The page's HTML. Photos are read again for thumbnails; those now gone show their names."""
    import jinja2

    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["printable"] = printable
    source = resources.files("ninebrains.photos").joinpath("audit.html.j2").read_text("utf-8")
    return environment.from_string(source).render(
        audit=audit,
        root=printable(str(audit.root)),
        largest=max((parts["all"] for parts in audit.counts.values()), default=1),
        thumbnail=_thumbnail,
        num_findings=_FINDINGS,
        num_photos=_PHOTOS,
    )


def _thumbnail(path: Path) -> str | None:
    """A small JPEG as a data URI, or None where the photo can no longer be read."""
    try:
        pixels, _ = decode(read_photo(path), at_least=(_THUMBNAIL_SIDE, _THUMBNAIL_SIDE))
    except PhotoError:
        return None
    image = Image.fromarray(pixels)
    image.thumbnail((_THUMBNAIL_SIDE, _THUMBNAIL_SIDE))
    packed = io.BytesIO()
    image.save(packed, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(packed.getvalue()).decode()
