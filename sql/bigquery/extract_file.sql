-- Read the staged object once into a table of its own, which a crash leaves for a day at most.
-- Numbers are read with the nine decimals of NUMERIC, so that a cell that does not fit is seen
-- (bad_column) and one that is rounded is counted (rounded). Rows of one identity (a trip and its
-- void, mostly) get ordinals 1, 2, ... by their other columns.
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
