-- The most frequent values of a column.
SELECT {column} AS value, count(*) AS trips
FROM trips
WHERE {column} IS NOT NULL
GROUP BY value
ORDER BY trips DESC, value
LIMIT $limit;
