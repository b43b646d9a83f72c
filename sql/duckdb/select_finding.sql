-- Select the first rows of a finding in the order of the file.
SELECT {columns}
FROM trips
WHERE {predicate}
ORDER BY rowid
LIMIT $limit;
