-- Trips from and to airports over time: zones 1 (Newark), 132 (JFK) and 138 (LaGuardia). A trip between
-- two airports counts for the one where it began.
SELECT
    airport,
    began_there,
    CAST(DATE_TRUNC(pickup_day, {grain}) AS DATE) AS period,
    SUM(trips) AS trips,
    SUM(total_amount) AS dollars
FROM {trips}
GROUP BY airport, began_there, period
ORDER BY airport, began_there, period;
