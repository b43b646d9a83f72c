-- Tips and fares of trips paid by card, by color and hour of pickup.
SELECT
    color,
    pickup_hour AS hour,
    SUM(trips) AS trips,
    SUM(tip_amount) AS tips,
    SUM(fare_amount) AS fares
FROM {trips}
WHERE payment_type = 1
    AND pickup_hour IS NOT NULL
GROUP BY color, hour
ORDER BY color, hour;
