-- Trips that began or ended at an airport: zones 1 (Newark), 132 (JFK) and 138 (LaGuardia). One from
-- airport to airport counts for the one it began at.
SELECT
    CASE
        WHEN PULocationID IN (1, 132, 138) THEN PULocationID
        ELSE DOLocationID
    END AS airport,
    PULocationID IN (1, 132, 138) AS began_there,
    CAST(DATE_TRUNC(pickup_day, {grain}) AS DATE) AS period,
    SUM(trips) AS trips,
    SUM(total_amount) AS dollars
FROM {trips}
WHERE PULocationID IN (1, 132, 138)
    OR DOLocationID IN (1, 132, 138)
GROUP BY airport, began_there, period
ORDER BY airport, began_there, period;
