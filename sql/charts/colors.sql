-- Trips by color and hour of pickup.
SELECT
    color,
    pickup_hour AS hour,
    SUM(trips) AS trips,
    SUM(total_amount) AS dollars
FROM {trips}
GROUP BY color, hour
ORDER BY color, hour;
