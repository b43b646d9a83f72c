-- How many rows loading would insert, update and delete, out of what compare_file found.
SELECT change, COUNT(*) AS changed_rows
FROM {changes}
GROUP BY change;
