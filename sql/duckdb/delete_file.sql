-- Delete all rows of a file.
DELETE FROM storage.{table}
WHERE file_month = $file_month;
