-- The mean time from pickup to dropoff, in minutes, of trips of more than 0 and at most 180.
SELECT
    ROUND(AVG(seconds) / 60, 2) AS average_duration_minutes,
    COUNT(*) AS trips
FROM (
    SELECT TIMESTAMP_DIFF({dropoff}, {pickup}, SECOND) AS seconds
    FROM {table}
    WHERE filename = @filename
) AS durations
WHERE seconds > 0 AND seconds <= 10800;
