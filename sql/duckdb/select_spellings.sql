-- Select the texts of a column that a cast alone does not read, and how often each occurs.
SELECT {column} AS text, count(*) AS cells
FROM cells
WHERE {column} IS NOT NULL
    AND NOT coalesce({plain}, false)
GROUP BY text;
