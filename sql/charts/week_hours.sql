-- Trips by weekday (0 is Monday) and hour of pickup.
SELECT
    {weekday} AS weekday,
    pickup_hour AS hour,
    SUM(trips) AS trips,
    SUM(total_amount) AS dollars
FROM {trips}
WHERE {weekday} IS NOT NULL
GROUP BY weekday, hour
ORDER BY weekday, hour;
