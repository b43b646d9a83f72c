-- The number of trips that filters leave.
SELECT COALESCE(SUM(trips), 0) AS trips
FROM {trips};
