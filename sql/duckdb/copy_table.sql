-- Copy the trips of a warehouse with an older schema version, and compute the derived columns.
INSERT INTO storage.{table} (file_month, {columns}, ordinal, {derived})
SELECT
    file_month,
    {columns},
    ordinal,
    {derived_columns}
FROM storage.{older};
