-- Count the rows that a load would insert, update and delete, from the table of compare_file.
SELECT change, COUNT(*) AS changed_rows
FROM {changes}
GROUP BY change;
