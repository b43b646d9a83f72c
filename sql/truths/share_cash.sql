-- The share of trips paid in cash (payment_type 2), of those whose way of payment is recorded.
SELECT
    ROUND(100 * COUNTIF(payment_type = 2) / NULLIF(COUNT(payment_type), 0), 2) AS cash_percent,
    COUNTIF(payment_type = 2) AS cash_trips,
    COUNT(payment_type) AS trips_with_recorded_payment
FROM {table}
WHERE filename = @filename;
