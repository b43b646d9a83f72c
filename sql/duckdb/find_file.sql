-- Return one row if the table holds any row of this file.
SELECT 1
FROM storage.{table}
WHERE file_month = $file_month
LIMIT 1;
