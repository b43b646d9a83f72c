-- The mean trip_distance of a month's trips, in miles; trips without a distance do not count.
SELECT
    ROUND(AVG(trip_distance), 2) AS average_distance_miles,
    COUNT(*) AS trips
FROM {table}
WHERE filename = @filename AND trip_distance > 0;
