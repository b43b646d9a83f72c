-- Delete a file's rows of a rollup before it is filled again; all rows when @filename is NULL.
DELETE FROM {rollup}
WHERE filename = @filename
    OR @filename IS NULL;
