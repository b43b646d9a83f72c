-- First load of a file: nothing to compare with.
INSERT INTO storage.{table} (file_month, {columns}, ordinal, {derived})
SELECT
    $file_month,
    {columns},
    ordinal,
    {derived_columns}
FROM incoming;
