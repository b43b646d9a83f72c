-- First load of a file: nothing to compare with.
INSERT INTO storage.{table} (file_month, filename, {columns}, ordinal, {derived})
SELECT
    $file_month,
    $filename,
    {columns},
    ordinal,
    {derived_columns}
FROM incoming;
