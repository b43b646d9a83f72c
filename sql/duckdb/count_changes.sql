-- Count the rows that a load would insert, update and delete, and for each column the updated rows
-- in which it changes.
SELECT
    count(*) FILTER (changes.change = 'inserted') AS inserted,
    count(*) FILTER (changes.change = 'updated') AS updated,
    count(*) FILTER (changes.change = 'deleted') AS deleted,
    {cell_counts}
FROM changes
LEFT JOIN loaded
    ON loaded.rowid = changes.loaded_row;
