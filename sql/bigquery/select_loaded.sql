-- Select the rows of a file in the table. It runs as a dry run, to estimate the bytes of a
-- comparison.
SELECT *
FROM {table} AS loaded
WHERE loaded.filename = @filename
    AND ({months});
