"""SQL fragments to read the cells of a trip file with DuckDB, and to compare rows.

They fill in the placeholders of the statements in sql/duckdb. All are made of the constants in
`pipeline.core.trips`: no text of a file or a person gets into them.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cache

from pipeline.core.cells.times import FIRST_YEAR, LAST_YEAR
from pipeline.core.column_names import match_columns
from pipeline.core.columns import Column, Type
from pipeline.core.datasets import Dataset
from pipeline.warehouse.measures import amount_of, has_amount

# SMALLINT holds every code and zone the TLC publishes (zones end at 265; passenger counts of 192
# occur); DECIMAL(9,2) holds every amount seen, the largest being about one million dollars.
DUCKDB_TYPES: dict[Type, str] = {
    "INT64": "SMALLINT",
    "STRING": "VARCHAR",
    "NUMERIC": "DECIMAL(9,2)",
    "TIMESTAMP": "TIMESTAMP",
}

# Cells are read this wide before they are cast to the stored type, so that a value that does not
# fit or must be rounded is noticed: with the digits before the point of SMALLINT and DECIMAL(9,2),
# and nine after it.
WIDE_TYPES: dict[Type, str] = {
    "INT64": "DECIMAL(14,9)",
    "STRING": "VARCHAR",
    "NUMERIC": "DECIMAL(16,9)",
    "TIMESTAMP": "TIMESTAMP",
}
_LARGEST_AMOUNT = "9999999.994999999"  # the largest with nine decimals that rounds to DECIMAL(9,2)


def stored_type(column: Column) -> str:
    """Return the DuckDB type in which a column is stored."""
    return DUCKDB_TYPES[column.type]


@cache
def row_identifiers(dataset: Dataset) -> dict[str, str]:
    """Return the column lists and conditions with which rows of a dataset are compared."""
    columns = dataset.columns
    identity = [column.name for column in columns if column.identity]
    others = [column.name for column in columns if not column.identity]
    return {
        "amount": amount_of(dataset),
        "checksum": "coalesce(sum(total_amount), 0)"
        if has_amount(dataset)
        else f"coalesce(sum(hash({', '.join(identity)})), 0)",
        "columns": ", ".join(column.name for column in columns),
        "identity": ", ".join(identity),
        "others_nulls_first": ", ".join(f"{name} NULLS FIRST" for name in others),
        "same_identity": " AND ".join(
            f"loaded.{name} IS NOT DISTINCT FROM incoming.{name}" for name in identity
        ),
        "others_differ": " OR ".join(
            f"loaded.{name} IS DISTINCT FROM incoming.{name}" for name in others
        ),
        "incoming_columns": ", ".join(f"incoming.{column.name}" for column in columns),
    }


def identity_text(dataset: Dataset, filename: str) -> str:
    """Return an expression for the text whose MD5 is a row's unique_row_id.

    Args:
        filename: An expression for the value of the column `filename`.
    """
    return f"concat_ws('|', {', '.join([filename, *_identity_parts(dataset)])}, ordinal)"


def portable_checksum(dataset: Dataset) -> str:
    """Return the sum that a load reconciles, as an aggregate with the same value on every engine.

    The checksum in `row_identifiers` is that of DuckDB alone, and a hundred times faster.
    """
    if has_amount(dataset):
        return "coalesce(sum(total_amount), 0)"
    digest = f"md5(concat_ws('|', {', '.join(_identity_parts(dataset))}))"
    return f"coalesce(sum(CAST('0x' || substr({digest}, 1, 8) AS BIGINT)), 0)"


def _identity_parts(dataset: Dataset) -> list[str]:
    # Engines print integers alike, but not times.
    return [
        f"coalesce(CAST({_printable(column)} AS VARCHAR), '')"
        for column in dataset.columns
        if column.identity
    ]


def _printable(column: Column) -> str:
    return f"epoch_us({column.name})" if column.type == "TIMESTAMP" else column.name


def csv_identifiers(dataset: Dataset, header: tuple[str, ...]) -> dict[str, str]:
    """Return the placeholders of extract_csv for a file with this header."""
    names = file_names(dataset, header)
    wide = {column.name: WIDE_TYPES[column.type] for column in dataset.columns}
    file_columns = ", ".join(f"'{name}': '{wide.get(name, 'VARCHAR')}'" for name in names)
    present = frozenset(match_columns(dataset, header))
    return {"file_columns": f"{{{file_columns}}}", **stored_columns(dataset, present)}


def file_names(dataset: Dataset, header: tuple[str, ...]) -> list[str]:
    """Return our name of each column of a file, and `unknown_3` for the fourth if it has none."""
    matched = match_columns(dataset, header)
    name_at = {header.index(spelled): name for name, spelled in matched.items()}
    return [name_at.get(place, f"unknown_{place}") for place in range(len(header))]


def stored_columns(dataset: Dataset, present: Collection[str]) -> dict[str, str]:
    """Return the placeholders that turn cells, read wide, into what is stored.

    Args:
        present: The names of our columns that the file has.
    """
    columns = dataset.columns
    in_file = [column for column in columns if column.name in present]
    amounts = [column for column in in_file if column.type == "NUMERIC"]
    # Comparing with the stored value would say the same, and take twice as long.
    rounded = " OR ".join(f"{column.name} % 0.01 <> 0" for column in amounts)
    bad = " ".join(
        f"WHEN {condition} THEN '{column.name}'"
        for column in in_file
        if (condition := _does_not_fit(column))
    )
    empty = " AND ".join(f"{column.name} IS NULL" for column in in_file)
    return {
        "stored_columns": ", ".join(
            f"{_cast(column)} AS {column.name}"
            if column in in_file
            else f"NULL::{stored_type(column)} AS {column.name}"
            for column in columns
        ),
        "bad_column": f"CASE {bad} WHEN {empty} THEN 'all columns' END",
        "empty": empty,
        "rounded": f"coalesce({rounded or 'false'}, false)",
    }


def time_limits(dataset: Dataset) -> dict[str, str]:
    """Return the placeholders of check_rows: whether a time is beyond what can be read.

    DuckDB reads `infinity` as a time after all others, and the word `epoch` as the first of 1970;
    a trip at that very moment only makes the file be read with more care.
    """
    times = [column.name for column in dataset.columns if column.type == "TIMESTAMP"]
    outside = " OR ".join(
        f"min({name}) <= TIMESTAMP '{FIRST_YEAR}-01-01' OR max({name}) >= '{LAST_YEAR + 1}-01-01'"
        f" OR bool_or({name} = TIMESTAMP '1970-01-01')"
        for name in times
    )
    return {"outside": f"coalesce({outside or 'false'}, false)"}


def is_plain(column: Column, text: str) -> str:
    """Return a condition that a text is read by a cast alone, as `pipeline.core.cells` reads it.

    It holds for the texts that the TLC publishes; other texts may be readable, too.

    Args:
        text: An expression for the cell.
    """
    pattern = _PLAIN[column.type]
    matches = f"regexp_full_match({text}, '{pattern}')"
    if column.type == "STRING" and column.flag:
        return f"{text} IN ('N', 'Y')"
    if column.type == "TIMESTAMP":
        return (
            f"{matches} AND TRY_CAST({text} AS TIMESTAMP)"
            f" BETWEEN TIMESTAMP '{FIRST_YEAR}-01-01' AND TIMESTAMP '{LAST_YEAR + 1}-01-01'"
        )
    return matches


# Three digits behind a point may be thousands, and so are left to the grammar.
_PLAIN: dict[Type, str] = {
    "INT64": "-?[0-9]{1,4}([.]0{1,2})?",
    "NUMERIC": "-?([0-9]{1,6}([.][0-9]{1,2})?|[.][0-9]{1,2})",
    "TIMESTAMP": "[0-9]{4}-[0-9]{2}-[0-9]{2} ([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]",
    "STRING": " *[A-Za-z0-9]{0,49}[0-9][A-Za-z0-9]{0,49} *",  # bases pad their numbers
}


def _cast(column: Column) -> str:
    if column.type in ("INT64", "NUMERIC"):
        return f"TRY_CAST({column.name} AS {stored_type(column)})"
    return f"trim({column.name})" if column.is_code else column.name


def _does_not_fit(column: Column) -> str:
    name = column.name
    if column.type == "INT64":  # 1.0 is a whole number, 1.7 is not
        return f"{name} IS NOT NULL AND {_cast(column)} IS DISTINCT FROM {name}"
    if column.type == "NUMERIC":  # 9999999.995 rounds to more digits than are stored
        return f"{name} NOT BETWEEN -{_LARGEST_AMOUNT} AND {_LARGEST_AMOUNT}"
    if column.type == "STRING":
        return f"NOT ({is_plain(column, name)})"
    return ""
