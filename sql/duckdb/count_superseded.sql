-- Count the rows of a csv in which a column is empty that is read in place of another one, which is
-- not. Columns are named by their place; lines that are no rows are left to the extract.
SELECT count(*)
FROM read_csv(
    $path,
    compression = $compression,
    columns = {file_columns},
    header = true,
    auto_detect = false,
    delim = ',',
    quote = '"',
    escape = '"',
    ignore_errors = true,
    max_line_size = 2000000
)
WHERE trim(coalesce({read}, '')) = '' AND trim(coalesce({other}, '')) <> '';
