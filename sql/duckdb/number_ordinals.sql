-- Rows of one identity (a trip and its void, mostly) get ordinals 1, 2, ... by their other columns.
-- Few rows share an identity, so those are found by hash first; a collision only costs a look.
WITH shared AS (
    SELECT hash({identity}) AS identity_hash
    FROM incoming
    GROUP BY identity_hash
    HAVING count(*) > 1
),
numbered AS (
    SELECT
        rowid AS incoming_row,
        row_number() OVER (PARTITION BY {identity} ORDER BY {others_nulls_first}) AS ordinal
    FROM incoming
    WHERE hash({identity}) IN (SELECT identity_hash FROM shared)
)
UPDATE incoming
SET ordinal = numbered.ordinal
FROM numbered
WHERE incoming.rowid = numbered.incoming_row
    AND numbered.ordinal > 1;
