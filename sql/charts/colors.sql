-- What yellow and green trips are like, by hour of pickup.
SELECT
    color,
    pickup_hour AS hour,
    SUM(trips) AS trips,
    SUM(total_amount) AS total_amount,
    SUM(fare_amount) AS fare_amount,
    SUM(fares) AS fares,
    SUM(trip_distance) AS trip_distance,
    SUM(distances) AS distances,
    SUM(timed_miles) AS timed_miles,
    SUM(timed_seconds) AS timed_seconds,
    SUM(IF(payment_type = 1, tip_amount, NULL)) AS card_tips,
    SUM(IF(payment_type = 1, fare_amount, NULL)) AS card_fares
FROM {trips}
GROUP BY color, hour
ORDER BY color, hour;
