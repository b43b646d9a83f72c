-- How many values fall into each of $bins equal ranges from $low on, what lies outside in the first
-- and the last one. `{number}` is the column as a DOUBLE.
SELECT
    CAST(least(greatest(floor(({number} - $low) / $width), 0), $bins - 1) AS INTEGER) AS bin,
    count(*) AS trips
FROM trips
WHERE {column} IS NOT NULL
GROUP BY bin
ORDER BY bin;
