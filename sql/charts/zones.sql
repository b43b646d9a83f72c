-- Trips and revenue by zone of pickup.
SELECT
    PULocationID AS zone,
    SUM(trips) AS trips,
    SUM(total_amount) AS dollars
FROM {trips}
GROUP BY zone
ORDER BY trips DESC, zone;
