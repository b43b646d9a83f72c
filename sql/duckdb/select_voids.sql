-- Select a few pairs of a trip and its void; the charge comes first.
WITH pairs AS (
    SELECT trip_row, partner_row
    FROM alike
    WHERE partner_row IS NOT NULL
        AND amount > 0
    ORDER BY trip_row
    LIMIT $pairs
)
SELECT {alike_columns}
FROM pairs
JOIN alike
    ON alike.trip_row IN (pairs.trip_row, pairs.partner_row)
ORDER BY pairs.trip_row, alike.amount DESC;
