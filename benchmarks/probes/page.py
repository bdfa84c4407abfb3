"""The table of averages in the docs, between two marks, so that it never differs from the CSV."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from benchmarks.pages import put_between_marks

Row = Mapping[str, object]


def table(rows: Sequence[Row], missing: Iterable[str]) -> str:
    """Markdown: a line a model, and two columns a level; models not yet measured are named."""
    averages = [row for row in rows if row["data"] == "average"]
    levels = list(dict.fromkeys(str(row["photos_a_class"]) for row in averages))
    heads = "".join(f" {level} a class | of teacher |" for level in levels)
    lines = [f"| |{heads}", "|---|" + "---|---|" * len(levels)]
    for model in dict.fromkeys(str(row["model"]) for row in averages):
        cells = []
        for row in averages:
            if row["model"] == model:
                low, high = (100 * float(str(row[f"of_teacher_{end}"])) for end in ("low", "high"))
                share = f"{100 * float(str(row['of_teacher_mean'])):.1f} %"
                spread = f" ({low:.1f} to {high:.1f})" if high > low else ""
                cells += [f"{100 * float(str(row['accuracy_mean'])):.1f} %", share + spread]
        lines.append(f"| {model} | " + " | ".join(cells) + " |")
    lines += [f"| {model} |" + " not yet measured | |" * len(levels) for model in missing]
    return "\n".join(lines)


def write_table(rows: Sequence[Row], missing: Iterable[str], page: Path) -> None:
    """Put the table into the page, in place of the one that stands between the marks.

    Raises:
        SystemExit: the page has no place for it.
    """
    put_between_marks(page, "trunk_probe", table(rows, missing))
