-- Select the source and the rows of a file's newest load.
SELECT source, rows
FROM load_ledger
WHERE filename = $filename
    AND state = 'loaded'
ORDER BY entry DESC
LIMIT 1;
