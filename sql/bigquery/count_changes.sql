SELECT change, COUNT(*) AS changed_rows
FROM {changes}
GROUP BY change;
