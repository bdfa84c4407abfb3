"""Tables in the docs, between two marks, so that they never differ from the CSV."""

from __future__ import annotations

from pathlib import Path

from ninebrains.places import write_bytes


def put_between_marks(page: Path, name: str, text: str) -> None:
    """Put text into a page, in place of what stands between the marks of a benchmark.

    The marks are `<!-- NAME: written by benchmarks/NAME.py -->` and `<!-- /NAME -->`.

    Raises:
        SystemExit: the page has no place for it.
    """
    first, last = f"<!-- {name}: written by benchmarks/{name}.py -->", f"<!-- /{name} -->"
    before, begin, rest = page.read_text().partition(first)
    _, end, after = rest.partition(last)
    if not (begin and end):
        raise SystemExit(f"{page.name} has no {first} followed by {last}")
    write_bytes(page, f"{before}{begin}\n\n{text}\n\n{end}{after}".encode())
