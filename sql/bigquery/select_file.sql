-- The rows of one file as they are in the table now, for a comparison with what a load would bring.
-- A large one is read in parts, by the day of the pickup.
SELECT {columns}
FROM {table}
WHERE filename = @filename
    AND MOD(COALESCE(EXTRACT(DAY FROM {pickup}), 0), @parts) = @part;
