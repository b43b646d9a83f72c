"""Write trips from BigQuery to a Parquet file, with the types that the local warehouse has."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.core.cancel import Cancel
from pipeline.core.datasets import Dataset
from pipeline.warehouse.exports import writing

if TYPE_CHECKING:
    import pyarrow


def trip_schema(dataset: Dataset) -> pyarrow.Schema:
    """Return the Arrow schema of a dataset's trips without `filename`.

    Times have no zone: they are New York wall-clock times. Amounts have two decimals.
    """
    import pyarrow

    types = {
        "INT64": pyarrow.int16(),
        "STRING": pyarrow.string(),
        "NUMERIC": pyarrow.decimal128(9, 2),
        "TIMESTAMP": pyarrow.timestamp("us"),
    }
    columns = [(column.name, types[column.type]) for column in dataset.columns]
    return pyarrow.schema([("unique_row_id", pyarrow.binary()), *columns])


def write_batches(
    batches: Iterable[pyarrow.RecordBatch],
    dataset: Dataset,
    path: Path,
    cancel: Cancel,
) -> None:
    """Write batches of trips to a new Parquet file.

    Raises StorageError when the file cannot be written, and Cancelled.
    """
    import pyarrow
    from pyarrow import parquet

    schema = trip_schema(dataset)
    with writing(path.parent), parquet.ParquetWriter(path, schema) as writer:
        for batch in batches:
            cancel.check()
            table = pyarrow.Table.from_batches([batch]).select(schema.names)
            writer.write_table(table.cast(schema))
