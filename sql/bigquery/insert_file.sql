-- Insert all rows of a file. Only its first load does this: later loads merge.
INSERT INTO {table} (unique_row_id, filename, {columns})
SELECT unique_row_id, @filename, {columns}
FROM {incoming}
WHERE bad_column IS NULL;
