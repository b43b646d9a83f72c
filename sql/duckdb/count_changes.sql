-- How many rows of a file a load would insert, update and delete, and in how many of the updated
-- ones each cell would change.
SELECT
    count(*) FILTER (changes.change = 'inserted') AS inserted,
    count(*) FILTER (changes.change = 'updated') AS updated,
    count(*) FILTER (changes.change = 'deleted') AS deleted,
    {cell_counts}
FROM changes
LEFT JOIN storage.{table} AS loaded
    ON loaded.rowid = changes.loaded_row;
