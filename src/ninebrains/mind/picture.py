"""The tree of a mind as an SVG picture: photos on the left, brains on the right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ninebrains.mind.explaining import Branch, Explanation

_WIDTH, _GAP_X, _GAP_Y = 236, 56, 16
_LINE, _PAD, _MARGIN = 17, 11, 20
_ROOM = _WIDTH - 2 * _PAD
# Of letters in units of the font's size, as wide as in the widest fonts that are usual.
_EM, _USUAL = 12, 0.64
_WIDTHS = {
    **dict.fromkeys(" .,:;'|!()[]ijlIftr/", 0.42),
    **dict.fromkeys("ABCDEFGHJKLNOPQRSTUVXYZ_&+<=>~", 0.84),
    **dict.fromkeys("mwMW@%", 1.1),
}
_FILLS = {"photos": "#e8eef4", "segment": "#dcefe6", "heads": "#fdf0d5"}
_STROKES = {"photos": "#5b7083", "segment": "#2f7d5b", "heads": "#b07d17"}
_INK, _SOFT = "#1d2730", "#4a5a68"


@dataclass(frozen=True)
class _Box:
    """A branch with its place, in pixels."""

    branch: Branch
    lines: tuple[str, ...]
    x: float
    y: float
    below: tuple[_Box, ...]

    @property
    def height(self) -> float:
        return _height(self.lines)

    @property
    def middle(self) -> float:
        return self.y + self.height / 2


def draw(explanation: Explanation) -> str:
    """Draw it.

    Returns:
        A whole SVG document. What brains are called is escaped.
    """
    boxes, y = [], float(_MARGIN)
    for root in explanation.roots:
        box, y = _lay_out(root, 0, y)
        boxes.append(box)
    every = [item for box in boxes for item in _walk(box)]
    width = max((box.x + _WIDTH for box in every), default=_WIDTH) + _MARGIN
    summary = _wrapped(explanation.summary, width - 2 * _MARGIN)
    height = y + _LINE * len(summary) + _MARGIN
    parts = [*map(_edges, every), *map(_drawn, every)]
    parts += [
        _text(_MARGIN, y + _LINE * (row + 1), line, _SOFT) for row, line in enumerate(summary)
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
        f'width="{width:g}" height="{height:g}" role="img" font-family="system-ui, sans-serif" '
        f'font-size="12"><title>{escape(explanation.summary)}</title>'
        f'<rect width="100%" height="100%" fill="#ffffff"/>{"".join(parts)}</svg>\n'
    )


def _lay_out(branch: Branch, depth: int, y: float) -> tuple[_Box, float]:
    """Place a branch and all below it from `y` downwards; the second value is where it ends."""
    lines = _described(branch)
    below: list[_Box] = []
    end = y
    for item in branch.below:
        box, end = _lay_out(item, depth + 1, end)
        below.append(box)
    first, last = (below[0].middle, below[-1].middle) if below else (y, y)
    top = max(y, (first + last - _height(lines)) / 2) if below else y
    x = _MARGIN + depth * (_WIDTH + _GAP_X)
    return _Box(branch, lines, x, top, tuple(below)), max(end, top + _height(lines) + _GAP_Y)


def _described(branch: Branch) -> tuple[str, ...]:
    from ninebrains.mind.explaining import facts

    if branch.kind == "photos":
        return (branch.title,)
    return (branch.title, *(line for fact in facts(branch) for line in _wrapped(fact, _ROOM)))


def _wrapped(text: str, room: float) -> list[str]:
    """Lines of at most `room` pixels; words are broken only where a line cannot hold them."""
    lines, line = [], ""
    for word in text.split():
        joined = f"{line} {word}" if line else word
        if _long(joined) <= room:
            line = joined
            continue
        if line:
            lines.append(line)
        line = ""
        for letter in word:
            if line and _long(line + letter) > room:
                lines.append(line)
                line = ""
            line += letter
    return [*lines, line]


def _long(text: str) -> float:
    """Pixels that a text takes at the most."""
    return _EM * sum(_WIDTHS.get(letter, _USUAL if letter.isascii() else 1.0) for letter in text)


def _height(lines: tuple[str, ...]) -> float:
    return _LINE * len(lines) + 2 * _PAD


def _walk(box: _Box) -> Iterator[_Box]:
    yield box
    for below in box.below:
        yield from _walk(below)


def _edges(box: _Box) -> str:
    start = box.x + _WIDTH
    half = _GAP_X / 2
    return "".join(
        f'<path d="M{start:g} {box.middle:g} C{start + half:g} {box.middle:g} '
        f'{below.x - half:g} {below.middle:g} {below.x:g} {below.middle:g}" fill="none" '
        f'stroke="{_STROKES["photos"]}" stroke-width="1.5"/>'
        for below in box.below
    )


def _drawn(box: _Box) -> str:
    kind = box.branch.kind
    frame = (
        f'<rect x="{box.x:g}" y="{box.y:g}" width="{_WIDTH}" height="{box.height:g}" rx="7" '
        f'fill="{_FILLS[kind]}" stroke="{_STROKES[kind]}"/>'
    )
    texts = [
        _text(box.x + _PAD, box.y + _PAD + _LINE * row + 12, line, _SOFT if row else _INK, row == 0)
        for row, line in enumerate(box.lines)
    ]
    return frame + "".join(texts)


def _text(x: float, y: float, text: str, color: str, is_bold: bool = False) -> str:
    weight = ' font-weight="600"' if is_bold else ""
    return f'<text x="{x:g}" y="{y:g}" fill="{color}"{weight}>{escape(text)}</text>'
