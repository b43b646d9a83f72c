-- Card tips as a share of the fares they were given on (payment_type 1; cash tips are unrecorded).
SELECT
    ROUND(100 * SUM(tip_amount) / NULLIF(SUM(fare_amount), 0), 2) AS tip_percent_of_fare,
    SUM(tip_amount) AS tips_dollars,
    SUM(fare_amount) AS fares_dollars
FROM {table}
WHERE filename = @filename AND payment_type = 1;
