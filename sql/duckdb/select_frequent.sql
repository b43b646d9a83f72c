-- Select the most frequent values of a column.
SELECT {column} AS value, count(*) AS trips
FROM {table}
WHERE {column} IS NOT NULL
GROUP BY value
ORDER BY trips DESC, value
LIMIT $limit;
