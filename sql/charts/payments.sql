-- Trips by payment over time; payment_type is NULL where it was not recorded.
SELECT
    CAST(DATE_TRUNC(pickup_day, {grain}) AS DATE) AS period,
    payment_type,
    SUM(trips) AS trips
FROM {trips}
GROUP BY period, payment_type
ORDER BY period, payment_type;
