-- Trips by the TLC taxi zone they began in, the busiest ten.
SELECT
    PULocationID AS zone,
    COUNT(*) AS trips
FROM {table}
WHERE filename = @filename
GROUP BY zone
ORDER BY trips DESC, zone
LIMIT 10;
