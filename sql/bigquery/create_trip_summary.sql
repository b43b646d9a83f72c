-- Sums of the trips of each file, so that charts need not read the trips. Written with the trips in
-- one transaction, from the same rows.
CREATE TABLE IF NOT EXISTS trip_summary (
    filename STRING NOT NULL OPTIONS (description = 'The trip file'),
    color STRING NOT NULL OPTIONS (description = 'yellow or green'),
    pickup_day DATE OPTIONS (description = 'Day of the pickups, New York wall-clock time'),
    pickup_hour INT64 OPTIONS (description = 'Hour of the pickups, 0 to 23'),
    payment_type INT64 OPTIONS (description = 'How the trips were paid'),
    stray BOOL NOT NULL OPTIONS (description = 'Pickup outside the month of the file, or none'),
    trips INT64 NOT NULL OPTIONS (description = 'How many trips'),
    total_amount NUMERIC OPTIONS (description = 'Sum, in dollars'),
    fare_amount NUMERIC OPTIONS (description = 'Sum, in dollars'),
    tip_amount NUMERIC OPTIONS (description = 'Sum, in dollars'),
    trip_distance NUMERIC OPTIONS (description = 'Sum, in miles'),
    fares INT64 NOT NULL OPTIONS (description = 'Trips whose fare_amount is known'),
    distances INT64 NOT NULL OPTIONS (description = 'Trips whose trip_distance is known'),
    timed_miles NUMERIC OPTIONS (description = 'Miles of trips of 1 minute to 6 hours, to 200 miles'),
    timed_seconds INT64 OPTIONS (description = 'Seconds of those trips')
)
CLUSTER BY filename
OPTIONS (description = 'Trips by file, day, hour and payment');
