-- Collect the rows that share their identity, and pair each trip with its void, which has the
-- opposite amount. Rows with equal amounts are paired by their order, so that no row is in two
-- pairs.
CREATE OR REPLACE TEMP TABLE alike AS
WITH shared AS (
    SELECT
        rowid AS trip_row,
        *,
        count(*) OVER (PARTITION BY {identity}) AS group_size,
        row_number() OVER (PARTITION BY {columns} ORDER BY ordinal) AS copy
    FROM trips
    WHERE hash({identity}) IN (SELECT hash({identity}) FROM trips WHERE ordinal > 1)
),
signed AS (
    SELECT
        *,
        {amount} AS amount,
        row_number() OVER (
            PARTITION BY {identity}, {amount}
            ORDER BY ordinal
        ) AS turn
    FROM shared
    WHERE group_size > 1
)
SELECT
    signed.*,
    partner.trip_row AS partner_row
FROM signed
LEFT JOIN signed AS partner
    ON {same_identity}
    AND partner.turn = signed.turn
    AND partner.amount = -signed.amount
    AND signed.amount <> 0;
