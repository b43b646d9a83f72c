-- First load of a file: nothing to compare with.
INSERT INTO {table} (unique_row_id, filename, {columns})
SELECT unique_row_id, @filename, {columns}
FROM {incoming}
WHERE bad_column IS NULL;
