-- Delete the ledger entries of a file's loads, and all others of one source. What is known about the
-- file from other sources, such as a failure, stays.
DELETE FROM load_ledger
WHERE filename = $filename
    AND (state = 'loaded' OR source = $source);
