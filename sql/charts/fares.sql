-- Trips by whole dollar of fare: -1 for all below $0, 100 for all from $100 up.
SELECT
    color,
    CASE
        WHEN fare_amount < 0 THEN -1
        WHEN fare_amount >= 100 THEN 100
        ELSE CAST(FLOOR(fare_amount) AS INT64)
    END AS dollars,
    SUM(trips) AS trips
FROM {trips}
GROUP BY color, dollars
ORDER BY color, dollars;
