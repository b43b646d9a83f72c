-- Rows of one identity, and among them the pairs of a trip and its void: the same amount, once
-- charged and once taken back. Equal ones are paired in turn, so that no row is in two pairs.
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
        row_number() OVER (
            PARTITION BY {identity}, total_amount
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
    AND partner.total_amount = -signed.total_amount
    AND signed.total_amount <> 0;
