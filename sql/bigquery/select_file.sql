-- Select the rows of one file in the table, to compare them with the file. @parts divides a large
-- file by the day of the pickup, so that one part fits in memory.
SELECT {columns}
FROM {table}
WHERE filename = @filename
    AND MOD(COALESCE(EXTRACT(DAY FROM {pickup}), 0), @parts) = @part;
