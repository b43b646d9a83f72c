-- Trips in the warehouse by file, and how many of them are strays.
SELECT
    filename,
    SUM(trips) AS trips,
    SUM(IF(stray, trips, 0)) AS strays,
    SUM(total_amount) AS dollars
FROM {trips}
GROUP BY filename
ORDER BY filename;
