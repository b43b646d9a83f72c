-- Trips by half mile of distance: -1 for all below 0, 60 for all from 30 miles up.
SELECT
    color,
    CASE
        WHEN trip_distance < 0 THEN -1
        WHEN trip_distance >= 30 THEN 60
        ELSE CAST(FLOOR(trip_distance * 2) AS INT64)
    END AS half_miles,
    SUM(trips) AS trips
FROM {trips}
GROUP BY color, half_miles
ORDER BY color, half_miles;
