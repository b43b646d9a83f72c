-- Trips of a month.
SELECT COUNT(*) AS trips
FROM {table}
WHERE filename = @filename;
