-- Count the values in each of $bins equal ranges from $low on. The first and last range include the
-- values beyond them. `{number}` is the column as a DOUBLE.
SELECT
    CAST(least(greatest(floor(({number} - $low) / $width), 0), $bins - 1) AS INTEGER) AS bin,
    count(*) AS trips
FROM {table}
WHERE {column} IS NOT NULL
GROUP BY bin
ORDER BY bin;
