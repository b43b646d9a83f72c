-- Delete all rows of a file; reads only the partitions of its pickup months.
DELETE FROM {table} AS loaded
WHERE loaded.filename = @filename
    AND ({months});
