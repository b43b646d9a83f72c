-- Trips and dollars by day, week or month, color by color.
SELECT
    color,
    CAST(DATE_TRUNC(pickup_day, {grain}) AS DATE) AS period,
    SUM(trips) AS trips,
    SUM(total_amount) AS dollars
FROM {trips}
GROUP BY color, period
ORDER BY period, color;
