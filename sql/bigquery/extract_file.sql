-- Read the staged object once into a table, which expires after a day in case a load crashes.
-- Numbers are cast to NUMERIC with nine decimals, so that a cell that does not fit is detected
-- (bad_column) and a cell that is rounded is counted (rounded). Rows with the same identity, mostly
-- a trip and its void, get the ordinals 1, 2, ... in the order of their other columns.
CREATE OR REPLACE TABLE {incoming}
OPTIONS (expiration_timestamp = TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL 1 DAY))
AS
WITH cells AS (
    SELECT {cells}
    FROM {external}
),
wide AS (
    SELECT
        {wide_columns},
        {lost_column} AS lost_column
    FROM cells
),
typed AS (
    SELECT
        {stored_columns},
        COALESCE(lost_column, {bad_column}) AS bad_column,
        {rounded} AS rounded
    FROM wide
),
numbered AS (
    SELECT
        *,
        ROW_NUMBER() OVER (
            PARTITION BY {identity}, bad_column IS NULL
            ORDER BY {others_nulls_first}
        ) AS ordinal
    FROM typed
)
SELECT MD5({identity_text}) AS unique_row_id, *
FROM numbered;
