INSERT INTO trip_summary (
    filename, color, pickup_day, pickup_hour, payment_type, stray, trips, total_amount, fare_amount,
    tip_amount, trip_distance, fares, distances, timed_miles, timed_seconds
)
SELECT
    filename,
    '{color}',
    pickup_day,
    pickup_hour,
    payment_type,
    COALESCE(
        DATE_TRUNC(pickup_day, MONTH) <> PARSE_DATE('%Y-%m', SUBSTR(filename, -11, 7)), TRUE
    ) AS stray,
    trips,
    total_amount,
    fare_amount,
    tip_amount,
    trip_distance,
    fares,
    distances,
    timed_miles,
    timed_seconds
FROM (
    SELECT
        filename,
        DATE({pickup}) AS pickup_day,
        EXTRACT(HOUR FROM {pickup}) AS pickup_hour,
        payment_type,
        COUNT(*) AS trips,
        SUM(total_amount) AS total_amount,
        SUM(fare_amount) AS fare_amount,
        SUM(tip_amount) AS tip_amount,
        SUM(trip_distance) AS trip_distance,
        COUNT(fare_amount) AS fares,
        COUNT(trip_distance) AS distances,
        SUM(IF({timed}, trip_distance, NULL)) AS timed_miles,
        SUM(IF({timed}, {seconds}, NULL)) AS timed_seconds
    FROM {rows}
    GROUP BY filename, pickup_day, pickup_hour, payment_type
);
