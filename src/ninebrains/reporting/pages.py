"""Pages in the house's style: one file each, that needs no other file, no network and no script."""

from __future__ import annotations

import base64
import hashlib
from importlib import resources
from typing import TYPE_CHECKING

from ninebrains.photos import printable, shortened
from ninebrains.reporting import charts, wording

if TYPE_CHECKING:
    import jinja2

_OURS = "ninebrains.reporting"


def render_page(template: str, package: str = _OURS, **values: object) -> str:
    """A page from a template in a package's folder `templates`.

    The template is also given `style` (the style sheet that all pages share) and `style_digest`
    (for the page's content security policy), and may include the templates of `reporting`.
    """
    environment = _environment(package)
    style = environment.get_template("style.css").render()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    page = environment.get_template(template)
    html = page.render(style=style, style_digest=digest, **values)
    # What no encoding can hold (bytes of file names that are no text) is shown as an escape.
    return html.encode(errors="backslashreplace").decode()


def _environment(package: str) -> jinja2.Environment:
    import jinja2

    folders = [resources.files(name).joinpath("templates") for name in (package, _OURS)]

    def load(name: str) -> str | None:
        found = [file for folder in folders if (file := folder.joinpath(name)).is_file()]
        return found[0].read_text("utf-8") if found else None

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(load),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        printable=printable,
        shortened=shortened,
        percent=wording.percent,
        figure=wording.figure,
        count=wording.count,
        photos=wording.photos,
        sentence=wording.sentence,
    )
    environment.globals.update(charts=charts, names_of=wording.names_of)
    return environment
