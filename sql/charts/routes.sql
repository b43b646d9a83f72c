-- The ten routes (pickup zone to dropoff zone) with the most trips.
SELECT
    PULocationID AS pickup_zone,
    DOLocationID AS dropoff_zone,
    SUM(trips) AS trips,
    SUM(total_amount) AS dollars
FROM {trips}
GROUP BY pickup_zone, dropoff_zone
ORDER BY trips DESC, pickup_zone, dropoff_zone
LIMIT 10;
