-- Trips whose pickup lies outside the month of their file, by the month of the pickup.
SELECT
    filename,
    CAST(DATE_TRUNC(pickup_day, MONTH) AS DATE) AS pickup_month,
    SUM(trips) AS trips,
    SUM(total_amount) AS dollars
FROM {trips}
WHERE stray
GROUP BY filename, pickup_month
ORDER BY filename, pickup_month;
