INSERT INTO zone_summary (
    filename, color, pickup_month, PULocationID, payment_type, stray, trips, total_amount
)
SELECT
    filename,
    '{color}',
    pickup_month,
    PULocationID,
    payment_type,
    COALESCE(pickup_month <> PARSE_DATE('%Y-%m', SUBSTR(filename, -11, 7)), TRUE) AS stray,
    trips,
    total_amount
FROM (
    SELECT
        filename,
        DATE_TRUNC(DATE({pickup}), MONTH) AS pickup_month,
        PULocationID,
        payment_type,
        COUNT(*) AS trips,
        SUM(total_amount) AS total_amount
    FROM {rows}
    GROUP BY filename, pickup_month, PULocationID, payment_type
);
