-- Sums of the trips of each file, so that charts need not read the trips. Written with the trips in
-- one transaction, from the same rows. A stray is a trip whose pickup lies outside its file's month,
-- or that has none. Times are New York wall-clock times, amounts dollars, distances miles.
CREATE TABLE trip_summary (
    filename VARCHAR NOT NULL,
    color VARCHAR NOT NULL,
    pickup_day DATE,
    pickup_hour TINYINT,
    payment_type SMALLINT,
    stray BOOLEAN NOT NULL,
    trips BIGINT NOT NULL,
    total_amount DECIMAL(18, 2),
    fare_amount DECIMAL(18, 2),
    tip_amount DECIMAL(18, 2),
    trip_distance DECIMAL(18, 2),
    fares BIGINT NOT NULL,
    distances BIGINT NOT NULL,
    timed_miles DECIMAL(18, 2),
    timed_seconds BIGINT
);

-- The same by month and zone of pickup.
CREATE TABLE zone_summary (
    filename VARCHAR NOT NULL,
    color VARCHAR NOT NULL,
    pickup_month DATE,
    PULocationID SMALLINT,
    payment_type SMALLINT,
    stray BOOLEAN NOT NULL,
    trips BIGINT NOT NULL,
    total_amount DECIMAL(18, 2)
);

COMMENT ON COLUMN trip_summary.fares IS 'Trips whose fare_amount is known';
COMMENT ON COLUMN trip_summary.distances IS 'Trips whose trip_distance is known';
COMMENT ON COLUMN trip_summary.timed_miles IS
    'Miles of the trips that took 1 minute to 6 hours and 0.01 to 200 miles';
COMMENT ON COLUMN trip_summary.timed_seconds IS
    'Seconds of the trips that took 1 minute to 6 hours and 0.01 to 200 miles';
