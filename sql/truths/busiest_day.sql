-- Trips by the day of the month they began on, the busiest first; stray dates do not count.
SELECT
    EXTRACT(DAY FROM {pickup}) AS day_of_month,
    COUNT(*) AS trips
FROM {table}
WHERE filename = @filename
    AND EXTRACT(YEAR FROM {pickup}) * 100 + EXTRACT(MONTH FROM {pickup}) = @year_month
GROUP BY day_of_month
ORDER BY trips DESC, day_of_month;
