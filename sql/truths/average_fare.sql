-- The mean fare (fare_amount) of a month's trips, in dollars, refunds included.
SELECT
    ROUND(AVG(fare_amount), 2) AS average_fare_dollars,
    COUNT(fare_amount) AS trips
FROM {table}
WHERE filename = @filename;
