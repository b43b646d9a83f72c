-- Trips by the hour of the day they began in, the busiest first.
SELECT
    EXTRACT(HOUR FROM {pickup}) AS hour_of_day,
    COUNT(*) AS trips
FROM {table}
WHERE filename = @filename
GROUP BY hour_of_day
ORDER BY trips DESC, hour_of_day;
