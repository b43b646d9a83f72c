-- Read a staged CSV file once into `incoming`, each cell by its column's type. Numbers are read
-- wider than they are stored, so that a cell that does not fit is detected (reject_reason) and a
-- rounded cell is counted (rounded). Fails at the first line or cell that DuckDB cannot read.
CREATE OR REPLACE TEMP TABLE incoming AS
SELECT
    {stored_columns},
    1::INTEGER AS ordinal,
    {bad_column} AS reject_reason,
    {rounded} AS rounded
FROM read_csv(
    $path,
    compression = $compression,
    columns = {file_columns},
    header = true,
    auto_detect = false,
    delim = ',',
    quote = '"',
    escape = '"',
    timestampformat = '%Y-%m-%d %H:%M:%S',
    strict_mode = true,
    max_line_size = 2000000
);
