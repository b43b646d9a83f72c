-- The newest load of a file: what the next one starts from.
SELECT entry, rejected, COALESCE(pickup_months, '') AS pickup_months
FROM load_ledger
WHERE filename = @filename
    AND state = 'loaded'
ORDER BY entry DESC
LIMIT 1;
