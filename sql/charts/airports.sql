-- Trips that began or ended at an airport: zones 1 (Newark), 132 (JFK) and 138 (LaGuardia). One from
-- airport to airport counts for the one it began at.
SELECT
    airport,
    began_there,
    CAST(DATE_TRUNC(pickup_day, {grain}) AS DATE) AS period,
    SUM(trips) AS trips,
    SUM(total_amount) AS dollars
FROM {trips}
GROUP BY airport, began_there, period
ORDER BY airport, began_there, period;
