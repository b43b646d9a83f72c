-- Nearly all pickups lie in the file's month, which is compared and not computed.
INSERT INTO zone_summary
SELECT
    $filename,
    '{color}',
    pickup_month,
    PULocationID,
    payment_type,
    pickup_month IS DISTINCT FROM $first_day AS stray,
    trips,
    total_amount
FROM (
    SELECT
        CASE
            WHEN {pickup} >= $first_day AND {pickup} < $next_month THEN $first_day
            ELSE CAST(date_trunc('month', {pickup}) AS DATE)
        END AS pickup_month,
        PULocationID,
        payment_type,
        count(*) AS trips,
        sum(total_amount) AS total_amount
    FROM {rows}
    GROUP BY pickup_month, PULocationID, payment_type
)
ORDER BY pickup_month, PULocationID, payment_type;
