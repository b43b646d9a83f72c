"""The command `export`: write the trips of a warehouse for other programs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.console import (
    DatasetsOption,
    FirstOption,
    JsonOption,
    TargetOption,
    err,
    exit_on_error,
    load_settings,
    out,
    print_json,
)
from pipeline.core.errors import UsageError
from pipeline.warehouse.registry import DEFAULT_TARGET

if TYPE_CHECKING:
    from pipeline.core.trips import TripFile

EXPORT_HELP = """
Export loaded trips as Parquet files, a DuckDB file, or csv.gz files.

Without --dataset trips of all datasets are exported.

Only what was loaded since the last export is written; what is no longer loaded is removed. Each
file is replaced whole or not at all, so that Ctrl-C and a later export are always safe.

Exit code 0 when everything is exported.

Examples:

    python -m pipeline export parquet --to trips/

    python -m pipeline export duckdb --to taxi_rides_ny.duckdb --schema prod

    python -m pipeline export csv --to csv/ --dataset green --from 2020-01 --to 2020-06
"""


def export(
    format: Annotated[str, typer.Argument(help="parquet, duckdb or csv.")],
    to: Annotated[
        list[str],
        typer.Option(
            "--to",
            help="A folder, or the file for duckdb; once more with a month (YYYY-MM) for the last.",
        ),
    ],
    dataset_names: DatasetsOption = None,
    first: FirstOption = "",
    schema: Annotated[str, typer.Option(help="Schema of the tables, for duckdb.")] = "prod",
    target: TargetOption = DEFAULT_TARGET,
    as_json: JsonOption = False,
) -> None:
    """Export loaded trips as Parquet files, a DuckDB file, or csv.gz files."""
    from pipeline.core.datasets import find_dataset
    from pipeline.core.trips import Month
    from pipeline.ops.export import export as run_export

    with exit_on_error():
        months = [text for text in to if re.fullmatch(r"\d{4}-\d{2}", text)]
        paths = [text for text in to if text not in months]
        if len(paths) != 1 or not paths[0].strip() or len(months) > 1:
            raise UsageError(
                "--to names one path, and one last month if there is one.",
                cure="Write, for example, --to trips/ --from 2020-01 --to 2020-06.",
            )
        datasets = [find_dataset(name) for name in dataset_names or ()]
        first_month = Month.parse(first) if first else None
        last_month = Month.parse(months[0]) if months else None

        if first_month and last_month and first_month > last_month:
            raise UsageError(
                f"The first month, {first_month}, is after the last one, {last_month}.",
                cure="Swap them.",
            )

        def is_wanted(file: TripFile) -> bool:
            return (
                (not datasets or file.dataset in datasets)
                and (first_month is None or file.month >= first_month)
                and (last_month is None or file.month <= last_month)
            )

        def report(done: int, total: int, file: TripFile) -> None:
            err.print(f"{done + 1} of {total}: {file.stem}")

        path = Path(paths[0]).expanduser()
        result = run_export(
            format, path, target, load_settings(), is_wanted, schema, progress=report
        )
        if as_json:
            print_json(
                {
                    "format": format,
                    "path": str(path),
                    "written": [file.filename for file in result.written],
                    "removed": [file.filename for file in result.removed],
                    "files": result.files,
                    "rows": result.rows,
                }
            )
        else:
            out.print(
                f"{path} has {result.rows:,} trips of {result.files:,} files: "
                f"{len(result.written):,} written, {len(result.removed):,} removed.",
                markup=False,
            )
