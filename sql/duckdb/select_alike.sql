-- The first rows that share their identity with another one, those of one identity together.
SELECT {columns}
FROM alike
WHERE {predicate}
ORDER BY {identity}, ordinal
LIMIT $limit;
