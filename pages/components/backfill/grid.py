"""The grid of months: a cell with the state of each trip file. Pure: no Streamlit, no I/O.

A row is a month of the year, and a column is a dataset in one year, the newest year first. A phone
has room for two columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import pandas as pd
from pandas.io.formats.style import Styler

from pages.components.common.words import TINTS, count, state_words
from pipeline.core.datasets import DATASETS, Dataset
from pipeline.core.trips import Month, TripFile
from pipeline.runs.plan import FileState, Plan, find_state
from pipeline.runs.run_records import GLYPHS, RunFile
from pipeline.warehouse.ledger import FileRecord

MONTH_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
COLUMN_WIDTH = 148  # pixels: `↻ stale 10,000,000 *`, and two of them on a phone
SYNTHETIC = "*"  # stands after the text of a cell whose trips are made up


@dataclass(frozen=True)
class Cell:
    """What the grid shows of one trip file; `rows` is the number of its rows in the warehouse."""

    state: FileState
    rows: int | None = None
    synthetic: bool = False

    def __str__(self) -> str:
        parts = [state_words(self.state), count(self.rows or None)]
        return " ".join(filter(None, [*parts, SYNTHETIC if self.synthetic else ""]))


def find_cells(
    files: Iterable[TripFile],
    records: Mapping[TripFile, FileRecord],
    plan: Plan | None,
    run_files: Iterable[RunFile],
    run_source: str = "",
) -> dict[TripFile, Cell]:
    """Return a cell for each of the given files and each file in the ledger.

    A state of the ledger is overridden by that of the plan, which knows the source's answer, and
    that by the state of the file in the running backfill.

    Args:
        files: The files that are chosen.
        records: What the ledger has of each file.
        plan: The plan that is shown, if any.
        run_files: The files of the running backfill.
        run_source: The source that the running backfill loads from.
    """
    cells = {file: _ledger_cell(records.get(file)) for file in {*files, *records}}
    for planned in plan.files if plan else ():
        cells[planned.file] = replace(
            cells.get(planned.file) or _ledger_cell(None), state=planned.state
        )
    for run_file in run_files:
        if run_file.state in tuple(FileState):
            cell = cells.get(run_file.file) or _ledger_cell(None)
            state = FileState(run_file.state)
            if state == FileState.LOADED:
                cell = Cell(state, run_file.rows, run_source == "sample")
            elif not (state == FileState.UNAVAILABLE and cell.state == FileState.LOADED):
                cell = replace(cell, state=state)
            cells[run_file.file] = cell
    return cells


def _ledger_cell(record: FileRecord | None) -> Cell:
    loaded = record.loaded if record else None
    if loaded is None:
        return Cell(find_state(record))
    return Cell(find_state(record), loaded.rows, loaded.is_synthetic)


def grid_rows(cells: Iterable[TripFile]) -> list[int]:
    """Return the rows of the grid: the months of the year, 1 to 12, that have any cell."""
    return sorted({file.month.month for file in cells})


def grid_columns(cells: Iterable[TripFile]) -> dict[str, tuple[Dataset, int]]:
    """Return the dataset and year of each column by its name, the newest year first."""
    order = list(DATASETS.values())
    columns = sorted(
        {(file.dataset, file.month.year) for file in cells},
        key=lambda column: (-column[1], order.index(column[0])),
    )
    return {f"{dataset.word} {year}": (dataset, year) for dataset, year in columns}


def grid_table(cells: Mapping[TripFile, Cell]) -> Styler:
    """Return the grid as a table whose cells are tinted by their states."""
    months = grid_rows(cells)
    index = [MONTH_NAMES[month - 1] for month in months]
    texts, styles = {}, {}
    for name, (dataset, year) in grid_columns(cells).items():
        column = [cells.get(TripFile(dataset, Month(year, month))) for month in months]
        texts[name] = [str(cell or "") for cell in column]
        styles[name] = [
            f"background-color: {TINTS.get(cell.state, '')}" if cell else "" for cell in column
        ]
    tints = pd.DataFrame(styles, index=index)
    return pd.DataFrame(texts, index=index).style.apply(lambda _: tints, axis=None)


def legend(cells: Mapping[TripFile, Cell]) -> str:
    """Return a sentence with the meaning of the signs in the cells."""
    states = ", ".join(f"{GLYPHS[state]} {state}" for state in FileState)
    synthetic = any(cell.synthetic for cell in cells.values())
    return f"{states}{f', {SYNTHETIC} synthetic' if synthetic else ''}. Numbers are rows."


def file_at(cells: Iterable[TripFile], row: int, column: str) -> TripFile | None:
    """Return the trip file of a cell of the grid, or None if there is no such cell."""
    files = set(cells)
    months, columns = grid_rows(files), grid_columns(files)
    if not 0 <= row < len(months) or column not in columns:
        return None
    dataset, year = columns[column]
    file = TripFile(dataset, Month(year, months[row]))
    return file if file in files else None
