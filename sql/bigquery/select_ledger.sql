-- Select each file's newest ledger entry, and its newest `loaded` entry if that is another one.
SELECT *
FROM load_ledger
WHERE TRUE
QUALIFY ROW_NUMBER() OVER (PARTITION BY filename ORDER BY entry DESC) = 1
    OR (
        state = 'loaded'
        AND ROW_NUMBER() OVER (PARTITION BY filename, state ORDER BY entry DESC) = 1
    )
ORDER BY entry;
