-- Trips, strays and dollars of each loaded file.
SELECT
    filename,
    SUM(trips) AS trips,
    SUM(IF(stray, trips, 0)) AS strays,
    SUM(total_amount) AS dollars
FROM {trips}
GROUP BY filename
ORDER BY filename;
