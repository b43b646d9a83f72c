-- The first rows that a finding is about, in the order of the file.
SELECT {columns}
FROM trips
WHERE {predicate}
ORDER BY rowid
LIMIT $limit;
