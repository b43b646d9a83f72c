-- Read a staged parquet file once into `incoming`, with the column types of its year.
CREATE OR REPLACE TEMP TABLE incoming AS
WITH wide AS (
    SELECT
        {wide_columns},
        {lost_column} AS lost_column
    FROM read_parquet($path)
)
SELECT
    {stored_columns},
    1::INTEGER AS ordinal,
    coalesce(lost_column, {bad_column}) AS reject_reason,
    {rounded} AS rounded
FROM wide;
