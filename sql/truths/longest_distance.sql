-- The longest distances by the taximeter, in miles, errors of meters included.
SELECT trip_distance AS miles
FROM {table}
WHERE filename = @filename AND trip_distance IS NOT NULL
ORDER BY miles DESC
LIMIT 5;
