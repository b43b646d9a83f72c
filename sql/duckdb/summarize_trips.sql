-- Whether a group is a stray's follows from its day, so that no single row is asked.
INSERT INTO trip_summary
SELECT
    $filename,
    '{color}',
    pickup_day,
    pickup_hour,
    payment_type,
    coalesce(pickup_day < $first_day OR pickup_day >= $next_month, true) AS stray,
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
        CAST({pickup} AS DATE) AS pickup_day,
        hour({pickup}) AS pickup_hour,
        payment_type,
        count(*) AS trips,
        sum(total_amount) AS total_amount,
        sum(fare_amount) AS fare_amount,
        sum(tip_amount) AS tip_amount,
        sum(trip_distance) AS trip_distance,
        count(fare_amount) AS fares,
        count(trip_distance) AS distances,
        sum(CASE WHEN {timed} THEN trip_distance END) AS timed_miles,
        sum(CASE WHEN {timed} THEN {seconds} END) AS timed_seconds
    FROM {rows}
    GROUP BY pickup_day, pickup_hour, payment_type
)
ORDER BY pickup_day, pickup_hour, payment_type;
