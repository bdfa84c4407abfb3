"""`ninebrains bench`: how fast brains and exports are on this machine, and on others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from ninebrains.cli.groups import WithDefault

app = typer.Typer(cls=WithDefault, help="Measure brains or exports on this machine.")

_SECONDS, _CALLERS, _RUNS = 5.0, 8, 250
_Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@app.command(WithDefault.DEFAULT)
def bench(
    brains: Annotated[
        list[str],
        typer.Argument(
            help="Brain files, folders, names in the store, or ONNX models; or folders of exports."
        ),
    ],
    photos: Annotated[
        Optional[Path],
        typer.Option(help="Brains: folder of photos; drawn ones where none is given."),
    ] = None,
    seconds: Annotated[
        Optional[float],
        typer.Option(
            min=0.1,
            max=3600,
            show_default=str(_SECONDS),
            help="Brains: measure one caller and many for so long each.",
        ),
    ] = None,
    callers: Annotated[
        Optional[int],
        typer.Option(
            min=1, max=256, show_default=str(_CALLERS), help="Brains: how many ask at a time."
        ),
    ] = None,
    runs: Annotated[
        Optional[int],
        typer.Option(
            min=1, max=1_000_000, show_default=str(_RUNS), help="Exports: runs after warm-up."
        ),
    ] = None,
    threads: Annotated[
        Optional[int],
        typer.Option(
            min=1,
            max=1024,
            show_default="the runtime's choice",
            help="Exports: threads of the runtime.",
        ),
    ] = None,
    save: Annotated[
        Optional[Path],
        typer.Option(
            show_default="EXPORT-bench.csv", help="Exports: add the rows to this CSV file."
        ),
    ] = None,
    as_json: _Json = False,
) -> None:
    """Measure brains together on this machine, each photo being asked of all of them.

    Folders of exports are measured each in its own runtime, taking turns, one photo at a time.
    """
    from ninebrains.cli.bench_brains import bench_brains
    from ninebrains.cli.bench_exports import bench_exports, is_export
    from ninebrains.errors import DataError

    exports = [Path(name) for name in brains if is_export(name)]
    for_brains = {"--photos": photos, "--seconds": seconds, "--callers": callers}
    for_exports = {"--runs": runs, "--threads": threads, "--save": save}
    if exports and len(exports) < len(brains):
        other = next(name for name in brains if not is_export(name))
        raise DataError(
            f"{exports[0]} is an export and {other} is none; measure them apart, since an export "
            "runs in its own runtime, and brains run together"
        )
    strange = for_brains if exports else for_exports
    kind = "exports" if exports else "brains"
    for option, value in strange.items():
        if value is not None:
            raise DataError(f"{option} does not go with {kind}; see `ninebrains bench --help`")
    if exports:
        bench_exports(exports, runs or _RUNS, threads, save, as_json=as_json)
    else:
        bench_brains(brains, photos, seconds or _SECONDS, callers or _CALLERS, as_json=as_json)


@app.command("merge")
def merge(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="CSV files of `bench`, or .json and .jsonl files of what an export's "
            "`run.py --bench` printed."
        ),
    ],
    out: Annotated[
        Optional[Path], typer.Option("--out", "-o", help="Write the table: .csv, .html or .md.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace whatever is there.")
    ] = False,
    as_json: _Json = False,
) -> None:
    """Make one table of what was measured on several machines."""
    from ninebrains.cli.bench_exports import check_table, print_rows, write_table
    from ninebrains.exporting.rows import merged, read_rows

    if out is not None:
        check_table(out, overwrite=overwrite)
    rows = merged(row for file in files for row in read_rows(file))
    print_rows(rows, as_json=as_json)
    if out is not None:
        write_table(out, rows)
        if not as_json:
            typer.echo(f"\nwrote {out}: {len(rows):,} row{'s' if len(rows) != 1 else ''}")
