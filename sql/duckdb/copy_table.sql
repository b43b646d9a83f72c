-- The trips of an older warehouse, with what is stored beside them now.
INSERT INTO storage.{table} (file_month, {columns}, ordinal, {derived})
SELECT
    file_month,
    {columns},
    ordinal,
    {derived_columns}
FROM storage.{older};
