-- Abort the transaction when another load of this file committed since compare_file ran.
ASSERT (
    SELECT MAX(entry)
    FROM load_ledger
    WHERE filename = @filename
        AND state = 'loaded'
) IS NOT DISTINCT FROM @previous_entry AS 'another load of this file came first';
