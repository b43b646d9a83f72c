-- How many trips a filter leaves.
SELECT COALESCE(SUM(trips), 0) AS trips
FROM {trips};
