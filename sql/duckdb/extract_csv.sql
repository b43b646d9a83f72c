-- Read a staged CSV once into `incoming`. Numbers are read wider than they are stored, so that a
-- cell that does not fit is seen (bad_column) and one that is rounded is counted (rounded).
-- Lines the reader cannot take land in reject_errors.
CREATE OR REPLACE TEMP TABLE incoming AS
SELECT
    {stored_columns},
    1::INTEGER AS ordinal,
    {bad_column} AS bad_column,
    {rounded} AS rounded
FROM read_csv(
    $path,
    columns = {file_columns},
    header = true,
    auto_detect = false,
    delim = ',',
    quote = $quote,
    escape = $quote,
    strict_mode = $strict,
    max_line_size = 2000000,
    store_rejects = true
);
