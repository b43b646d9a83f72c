-- Insert all rows of a file. Only its first load does this: later loads merge.
INSERT INTO storage.{table} (file_month, {columns}, ordinal, {derived})
SELECT
    $file_month,
    {columns},
    ordinal,
    {derived_columns}
FROM incoming;
