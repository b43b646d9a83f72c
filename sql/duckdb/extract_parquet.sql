-- Read a staged parquet file once into `incoming`, whatever types its year used.
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
    coalesce(lost_column, {bad_column}) AS bad_column,
    {rounded} AS rounded
FROM wide;
