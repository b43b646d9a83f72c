-- Give rows with the same identity, mostly a trip and its void, the ordinals 1, 2, ... in the order
-- of their other columns. Few rows share an identity, so a first pass finds equal hashes; a
-- collision only numbers a group of one. Sorting the hashes takes half the time of grouping and
-- counting them.
WITH hashes AS (
    SELECT
        identity_hash,
        lead(identity_hash) OVER (ORDER BY identity_hash) AS next_hash
    FROM (SELECT hash({identity}) AS identity_hash FROM incoming)
),
shared AS (
    SELECT DISTINCT identity_hash
    FROM hashes
    WHERE identity_hash = next_hash
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
