-- Select the first rows of a finding about shared identities, rows of one identity together.
SELECT {columns}
FROM alike
WHERE {predicate}
ORDER BY {identity}, ordinal
LIMIT $limit;
