-- Select the newest load of a file: the next load compares with it, or a removal undoes it.
SELECT entry, rejected, COALESCE(pickup_months, '') AS pickup_months, source, address, `rows`
FROM load_ledger
WHERE filename = @filename
    AND state = 'loaded'
ORDER BY entry DESC
LIMIT 1;
