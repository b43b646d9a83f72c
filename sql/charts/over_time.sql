-- Sums by day, week or month, and by color. Tips are recorded for cards only (payment type 1).
SELECT
    color,
    CAST(DATE_TRUNC(pickup_day, {grain}) AS DATE) AS period,
    SUM(trips) AS trips,
    SUM(total_amount) AS total_amount,
    SUM(fare_amount) AS fare_amount,
    SUM(fares) AS fares,
    SUM(trip_distance) AS trip_distance,
    SUM(distances) AS distances,
    SUM(absurd_miles) AS absurd_miles,
    SUM(absurd_distances) AS absurd_distances,
    SUM(timed_miles) AS timed_miles,
    SUM(timed_seconds) AS timed_seconds,
    SUM(IF(payment_type = 1, tip_amount, NULL)) AS card_tips,
    SUM(IF(payment_type = 1, fare_amount, NULL)) AS card_fares
FROM {trips}
GROUP BY color, period
ORDER BY period, color;
