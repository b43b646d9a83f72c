-- Nobody may have loaded this file since it was compared.
ASSERT (
    SELECT MAX(entry)
    FROM load_ledger
    WHERE filename = @filename
        AND state = 'loaded'
) IS NOT DISTINCT FROM @base_entry AS 'another load of this file came first';
