-- The rows a file has in the table; asked as a dry run, to know what a comparison will scan.
SELECT *
FROM {table} AS loaded
WHERE loaded.filename = @filename
    AND ({months});
