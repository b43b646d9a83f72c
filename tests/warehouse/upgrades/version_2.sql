-- A warehouse of schema version 2, as Fareground wrote it before there was a version 3: its own
-- statements, with their column lists filled in, then rows made here. Never to be changed: `write.py`
-- makes version_2.duckdb.gz of it.
-- What every warehouse holds beside the production tables. Times are UTC.
CREATE SCHEMA storage;

CREATE TABLE storage.schema_version (version INTEGER NOT NULL);

CREATE SEQUENCE storage.ledger_entry;

-- One row for each time a file was loaded, found unchanged, failed, or found to be unavailable.
CREATE TABLE load_ledger (
    entry BIGINT DEFAULT nextval('storage.ledger_entry'),
    filename VARCHAR NOT NULL,
    color VARCHAR NOT NULL,
    month VARCHAR NOT NULL,
    state VARCHAR NOT NULL CHECK (state IN ('loaded', 'failed', 'unavailable')),
    run_id VARCHAR NOT NULL,
    source VARCHAR NOT NULL,
    address VARCHAR,
    format VARCHAR,
    bytes BIGINT,
    sha256 VARCHAR,
    etag VARCHAR,
    loader_version INTEGER NOT NULL,
    rows BIGINT,
    inserted BIGINT,
    updated BIGINT,
    deleted BIGINT,
    unchanged BIGINT,
    rejected BIGINT,
    rounded BIGINT,
    total_amount DECIMAL(18, 2),
    reason VARCHAR,
    finished_at TIMESTAMP NOT NULL,
    seconds DOUBLE NOT NULL
);

-- Rows of the newest loaded version of each file that could not be cast. `line` counts from 1,
-- the header being line 1 of a CSV; for parquet it is the row number.
CREATE TABLE rejects (
    filename VARCHAR NOT NULL,
    line BIGINT NOT NULL,
    reason VARCHAR NOT NULL,
    content VARCHAR,
    run_id VARCHAR NOT NULL,
    rejected_at TIMESTAMP NOT NULL
);

INSERT INTO storage.schema_version VALUES (2);

CREATE TABLE storage.yellow_tripdata (
    file_month INTEGER NOT NULL,
    filename VARCHAR NOT NULL,
    VendorID SMALLINT,
    tpep_pickup_datetime TIMESTAMP,
    tpep_dropoff_datetime TIMESTAMP,
    passenger_count SMALLINT,
    trip_distance DECIMAL(9,2),
    RatecodeID SMALLINT,
    store_and_fwd_flag VARCHAR,
    PULocationID SMALLINT,
    DOLocationID SMALLINT,
    payment_type SMALLINT,
    fare_amount DECIMAL(9,2),
    extra DECIMAL(9,2),
    mta_tax DECIMAL(9,2),
    tip_amount DECIMAL(9,2),
    tolls_amount DECIMAL(9,2),
    improvement_surcharge DECIMAL(9,2),
    total_amount DECIMAL(9,2),
    congestion_surcharge DECIMAL(9,2),
    airport_fee DECIMAL(9,2),
    cbd_congestion_fee DECIMAL(9,2),
    ordinal INTEGER NOT NULL
);

CREATE VIEW yellow_tripdata AS
SELECT
    unhex(md5(concat_ws(
        '|',
        filename,
        coalesce(CAST(VendorID AS VARCHAR), ''),
        coalesce(CAST(epoch_us(tpep_pickup_datetime) AS VARCHAR), ''),
        coalesce(CAST(epoch_us(tpep_dropoff_datetime) AS VARCHAR), ''),
        coalesce(CAST(PULocationID AS VARCHAR), ''),
        coalesce(CAST(DOLocationID AS VARCHAR), ''),
        ordinal
    ))) AS unique_row_id,
    filename,
    VendorID,
    tpep_pickup_datetime,
    tpep_dropoff_datetime,
    passenger_count,
    trip_distance,
    RatecodeID,
    store_and_fwd_flag,
    PULocationID,
    DOLocationID,
    payment_type,
    fare_amount,
    extra,
    mta_tax,
    tip_amount,
    tolls_amount,
    improvement_surcharge,
    total_amount,
    congestion_surcharge,
    airport_fee,
    cbd_congestion_fee
FROM storage.yellow_tripdata;

CREATE TABLE storage.green_tripdata (
    file_month INTEGER NOT NULL,
    filename VARCHAR NOT NULL,
    VendorID SMALLINT,
    lpep_pickup_datetime TIMESTAMP,
    lpep_dropoff_datetime TIMESTAMP,
    store_and_fwd_flag VARCHAR,
    RatecodeID SMALLINT,
    PULocationID SMALLINT,
    DOLocationID SMALLINT,
    passenger_count SMALLINT,
    trip_distance DECIMAL(9,2),
    fare_amount DECIMAL(9,2),
    extra DECIMAL(9,2),
    mta_tax DECIMAL(9,2),
    tip_amount DECIMAL(9,2),
    tolls_amount DECIMAL(9,2),
    ehail_fee DECIMAL(9,2),
    improvement_surcharge DECIMAL(9,2),
    total_amount DECIMAL(9,2),
    payment_type SMALLINT,
    trip_type SMALLINT,
    congestion_surcharge DECIMAL(9,2),
    cbd_congestion_fee DECIMAL(9,2),
    ordinal INTEGER NOT NULL
);

CREATE VIEW green_tripdata AS
SELECT
    unhex(md5(concat_ws(
        '|',
        filename,
        coalesce(CAST(VendorID AS VARCHAR), ''),
        coalesce(CAST(epoch_us(lpep_pickup_datetime) AS VARCHAR), ''),
        coalesce(CAST(epoch_us(lpep_dropoff_datetime) AS VARCHAR), ''),
        coalesce(CAST(PULocationID AS VARCHAR), ''),
        coalesce(CAST(DOLocationID AS VARCHAR), ''),
        ordinal
    ))) AS unique_row_id,
    filename,
    VendorID,
    lpep_pickup_datetime,
    lpep_dropoff_datetime,
    store_and_fwd_flag,
    RatecodeID,
    PULocationID,
    DOLocationID,
    passenger_count,
    trip_distance,
    fare_amount,
    extra,
    mta_tax,
    tip_amount,
    tolls_amount,
    ehail_fee,
    improvement_surcharge,
    total_amount,
    payment_type,
    trip_type,
    congestion_surcharge,
    cbd_congestion_fee
FROM storage.green_tripdata;

COMMENT ON COLUMN yellow_tripdata.VendorID IS 'Code of the provider that sent the record';
COMMENT ON COLUMN yellow_tripdata.tpep_pickup_datetime
    IS 'When the meter was engaged, New York wall-clock time as published';
COMMENT ON COLUMN yellow_tripdata.tpep_dropoff_datetime
    IS 'When the meter was disengaged, New York wall-clock time as published';
COMMENT ON COLUMN yellow_tripdata.passenger_count IS 'Passengers, as entered by the driver';
COMMENT ON COLUMN yellow_tripdata.trip_distance IS 'Distance by the taximeter, in miles';
COMMENT ON COLUMN yellow_tripdata.RatecodeID
    IS 'Final rate code: 1 standard, 2 JFK, 3 Newark, ...';
COMMENT ON COLUMN yellow_tripdata.store_and_fwd_flag
    IS 'Y when held in the vehicle before it was sent';
COMMENT ON COLUMN yellow_tripdata.PULocationID IS 'TLC taxi zone where the meter was engaged';
COMMENT ON COLUMN yellow_tripdata.DOLocationID IS 'TLC taxi zone where the meter was disengaged';
COMMENT ON COLUMN yellow_tripdata.payment_type IS 'How it was paid: 1 credit card, 2 cash, ...';
COMMENT ON COLUMN yellow_tripdata.fare_amount IS 'Fare by time and distance, in dollars';
COMMENT ON COLUMN yellow_tripdata.extra IS 'Extras and surcharges, in dollars';
COMMENT ON COLUMN yellow_tripdata.mta_tax IS 'MTA tax, in dollars';
COMMENT ON COLUMN yellow_tripdata.tip_amount
    IS 'Card tips (cash tips are not recorded), in dollars';
COMMENT ON COLUMN yellow_tripdata.tolls_amount IS 'Tolls paid on the trip, in dollars';
COMMENT ON COLUMN yellow_tripdata.improvement_surcharge IS 'Improvement surcharge, in dollars';
COMMENT ON COLUMN yellow_tripdata.total_amount IS 'Total charged, without cash tips, in dollars';
COMMENT ON COLUMN yellow_tripdata.congestion_surcharge IS 'State congestion surcharge, in dollars';
COMMENT ON COLUMN yellow_tripdata.airport_fee IS 'LaGuardia and JFK pickup fee, in dollars';
COMMENT ON COLUMN yellow_tripdata.cbd_congestion_fee
    IS 'MTA congestion zone fee from 2025, in dollars';

COMMENT ON COLUMN green_tripdata.VendorID IS 'Code of the provider that sent the record';
COMMENT ON COLUMN green_tripdata.lpep_pickup_datetime
    IS 'When the meter was engaged, New York wall-clock time as published';
COMMENT ON COLUMN green_tripdata.lpep_dropoff_datetime
    IS 'When the meter was disengaged, New York wall-clock time as published';
COMMENT ON COLUMN green_tripdata.store_and_fwd_flag
    IS 'Y when held in the vehicle before it was sent';
COMMENT ON COLUMN green_tripdata.RatecodeID
    IS 'Final rate code: 1 standard, 2 JFK, 3 Newark, ...';
COMMENT ON COLUMN green_tripdata.PULocationID IS 'TLC taxi zone where the meter was engaged';
COMMENT ON COLUMN green_tripdata.DOLocationID IS 'TLC taxi zone where the meter was disengaged';
COMMENT ON COLUMN green_tripdata.passenger_count IS 'Passengers, as entered by the driver';
COMMENT ON COLUMN green_tripdata.trip_distance IS 'Distance by the taximeter, in miles';
COMMENT ON COLUMN green_tripdata.fare_amount IS 'Fare by time and distance, in dollars';
COMMENT ON COLUMN green_tripdata.extra IS 'Extras and surcharges, in dollars';
COMMENT ON COLUMN green_tripdata.mta_tax IS 'MTA tax, in dollars';
COMMENT ON COLUMN green_tripdata.tip_amount
    IS 'Card tips (cash tips are not recorded), in dollars';
COMMENT ON COLUMN green_tripdata.tolls_amount IS 'Tolls paid on the trip, in dollars';
COMMENT ON COLUMN green_tripdata.ehail_fee
    IS 'E-hail fee, in dollars; never filled in so far';
COMMENT ON COLUMN green_tripdata.improvement_surcharge IS 'Improvement surcharge, in dollars';
COMMENT ON COLUMN green_tripdata.total_amount IS 'Total charged, without cash tips, in dollars';
COMMENT ON COLUMN green_tripdata.payment_type IS 'How it was paid: 1 credit card, 2 cash, ...';
COMMENT ON COLUMN green_tripdata.trip_type IS '1 street hail, 2 dispatch';
COMMENT ON COLUMN green_tripdata.congestion_surcharge IS 'State congestion surcharge, in dollars';
COMMENT ON COLUMN green_tripdata.cbd_congestion_fee
    IS 'MTA congestion zone fee from 2025, in dollars';

-- Every third trip has no vendor, and then other cells are empty too; every fiftieth is a stray.
CREATE TEMP TABLE draws AS
SELECT
    file,
    number,
    CASE WHEN number % 3 > 0 THEN 1 + number % 2 END AS vendor,
    CASE
        WHEN number % 50 = 49 THEN TIMESTAMP '2008-12-31 23:00:00'
        ELSE file.month + to_minutes(number * 37)
    END AS pickup,
    to_seconds(60 + number * 11 % 3000) AS taken,
    CAST(3 + number * 7 % 90 AS DECIMAL(9, 2)) + 0.45 AS fare
FROM (
    VALUES
        ({'color': 'green', 'month': TIMESTAMP '2020-04-01', 'rows': 200}),
        ({'color': 'green', 'month': TIMESTAMP '2020-05-01', 'rows': 50}),
        ({'color': 'yellow', 'month': TIMESTAMP '2020-04-01', 'rows': 100})
) AS files (file), range(200) AS numbers (number)
WHERE number < file.rows;

INSERT INTO storage.green_tripdata BY NAME
SELECT
    year(file.month) * 100 + month(file.month) AS file_month,
    strftime(file.month, 'green_tripdata_%Y-%m.csv') AS filename,
    vendor AS VendorID,
    pickup AS lpep_pickup_datetime,
    pickup + taken AS lpep_dropoff_datetime,
    if(vendor IS NULL, NULL, 'N') AS store_and_fwd_flag,
    if(vendor IS NULL, NULL, 1) AS RatecodeID,
    1 + number * 13 % 263 AS PULocationID,
    1 + number * 17 % 263 AS DOLocationID,
    if(vendor IS NULL, NULL, number % 5) AS passenger_count,
    number * 31 % 2000 / 100 AS trip_distance,
    fare AS fare_amount,
    0.5 AS extra,
    0.5 AS mta_tax,
    number % 4 AS tip_amount,
    0 AS tolls_amount,
    0.3 AS improvement_surcharge,
    fare + 1.3 + number % 4 AS total_amount,
    if(vendor IS NULL, NULL, 1 + number % 2) AS payment_type,
    if(vendor IS NULL, NULL, 1) AS trip_type,
    1 AS ordinal
FROM draws
WHERE file.color = 'green'
ORDER BY file_month, number;

INSERT INTO storage.yellow_tripdata BY NAME
SELECT
    year(file.month) * 100 + month(file.month) AS file_month,
    strftime(file.month, 'yellow_tripdata_%Y-%m.csv') AS filename,
    vendor AS VendorID,
    pickup AS tpep_pickup_datetime,
    pickup + taken AS tpep_dropoff_datetime,
    if(vendor IS NULL, NULL, number % 5) AS passenger_count,
    number * 31 % 2000 / 100 AS trip_distance,
    if(vendor IS NULL, NULL, 1) AS RatecodeID,
    if(vendor IS NULL, NULL, 'Y') AS store_and_fwd_flag,
    1 + number * 13 % 263 AS PULocationID,
    1 + number * 17 % 263 AS DOLocationID,
    if(vendor IS NULL, NULL, 1 + number % 2) AS payment_type,
    fare AS fare_amount,
    0.5 AS extra,
    0.5 AS mta_tax,
    number % 4 AS tip_amount,
    0 AS tolls_amount,
    0.3 AS improvement_surcharge,
    fare + 1.3 + number % 4 AS total_amount,
    2.5 AS congestion_surcharge,
    1 AS ordinal
FROM draws
WHERE file.color = 'yellow'
ORDER BY number;

-- A trip was voided: the same identity, so the void is row 1 of two, its amount being the lower.
UPDATE storage.green_tripdata SET ordinal = 2
WHERE file_month = 202004 AND lpep_pickup_datetime = TIMESTAMP '2020-04-01 00:37:00';

INSERT INTO storage.green_tripdata
SELECT * REPLACE (-fare_amount AS fare_amount, -total_amount AS total_amount, 1 AS ordinal)
FROM storage.green_tripdata
WHERE ordinal = 2;

INSERT INTO load_ledger BY NAME
SELECT
    filename,
    split_part(filename, '_', 1) AS color,
    filename[-11:-5] AS month,
    'loaded' AS state,
    '20200601-090000-aaaa' AS run_id,
    'github' AS source,
    'https://example.org/' || filename || '.gz' AS address,
    'csv.gz' AS format,
    1000 + rows AS bytes,
    sha256(filename) AS sha256,
    '"' || filename || '"' AS etag,
    1 AS loader_version,
    rows,
    rows AS inserted,
    0 AS updated,
    0 AS deleted,
    0 AS unchanged,
    if(filename = 'green_tripdata_2020-04.csv', 1, 0) AS rejected,
    0 AS rounded,
    total_amount,
    '' AS reason,
    TIMESTAMP '2020-06-01 09:00:00' AS finished_at,
    1.5 AS seconds
FROM (
    SELECT filename, count(*) AS rows, sum(total_amount) AS total_amount
    FROM (
        SELECT filename, total_amount FROM storage.green_tripdata
        UNION ALL
        SELECT filename, total_amount FROM storage.yellow_tripdata
    )
    GROUP BY filename
)
ORDER BY filename;

INSERT INTO load_ledger (
    filename, color, month, state, run_id, source, loader_version, reason, finished_at, seconds
)
VALUES
    (
        'yellow_tripdata_2020-04.csv', 'yellow', '2020-04', 'failed', '20200602-090000-bbbb',
        'github', 1, 'cut off', TIMESTAMP '2020-06-02 09:00:00', 0.5
    ),
    (
        'yellow_tripdata_2020-05.csv', 'yellow', '2020-05', 'unavailable', '20200602-090000-bbbb',
        'github', 1, 'not published', TIMESTAMP '2020-06-02 09:00:01', 0
    );

INSERT INTO rejects
VALUES (
    'green_tripdata_2020-04.csv', 202, 'Could not convert string "nonsense"', '2,nonsense',
    '20200601-090000-aaaa', TIMESTAMP '2020-06-01 09:00:00'
);

DROP TABLE draws;

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

-- Whether a group is a stray's follows from its day, so that no single row is asked.
INSERT INTO trip_summary
SELECT
    'green_tripdata_2020-04.csv',
    'green',
    pickup_day,
    pickup_hour,
    payment_type,
    coalesce(pickup_day < DATE '2020-04-01' OR pickup_day >= DATE '2020-05-01', true) AS stray,
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
        CAST(lpep_pickup_datetime AS DATE) AS pickup_day,
        hour(lpep_pickup_datetime) AS pickup_hour,
        payment_type,
        count(*) AS trips,
        sum(total_amount) AS total_amount,
        sum(fare_amount) AS fare_amount,
        sum(tip_amount) AS tip_amount,
        sum(trip_distance) AS trip_distance,
        count(fare_amount) AS fares,
        count(trip_distance) AS distances,
        sum(CASE WHEN epoch_us(lpep_dropoff_datetime) - epoch_us(lpep_pickup_datetime) BETWEEN 60000000 AND 21600000000 AND trip_distance > 0 AND trip_distance <= 200 THEN trip_distance END) AS timed_miles,
        sum(CASE WHEN epoch_us(lpep_dropoff_datetime) - epoch_us(lpep_pickup_datetime) BETWEEN 60000000 AND 21600000000 AND trip_distance > 0 AND trip_distance <= 200 THEN (epoch_us(lpep_dropoff_datetime) - epoch_us(lpep_pickup_datetime)) // 1000000 END) AS timed_seconds
    FROM (SELECT * FROM storage.green_tripdata WHERE filename = 'green_tripdata_2020-04.csv')
    GROUP BY pickup_day, pickup_hour, payment_type
)
ORDER BY pickup_day, pickup_hour, payment_type;

-- Nearly all pickups lie in the file's month, which is compared and not computed.
INSERT INTO zone_summary
SELECT
    'green_tripdata_2020-04.csv',
    'green',
    pickup_month,
    PULocationID,
    payment_type,
    pickup_month IS DISTINCT FROM DATE '2020-04-01' AS stray,
    trips,
    total_amount
FROM (
    SELECT
        CASE
            WHEN lpep_pickup_datetime >= DATE '2020-04-01' AND lpep_pickup_datetime < DATE '2020-05-01' THEN DATE '2020-04-01'
            ELSE CAST(date_trunc('month', lpep_pickup_datetime) AS DATE)
        END AS pickup_month,
        PULocationID,
        payment_type,
        count(*) AS trips,
        sum(total_amount) AS total_amount
    FROM (SELECT * FROM storage.green_tripdata WHERE filename = 'green_tripdata_2020-04.csv')
    GROUP BY pickup_month, PULocationID, payment_type
)
ORDER BY pickup_month, PULocationID, payment_type;

-- Whether a group is a stray's follows from its day, so that no single row is asked.
INSERT INTO trip_summary
SELECT
    'green_tripdata_2020-05.csv',
    'green',
    pickup_day,
    pickup_hour,
    payment_type,
    coalesce(pickup_day < DATE '2020-05-01' OR pickup_day >= DATE '2020-06-01', true) AS stray,
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
        CAST(lpep_pickup_datetime AS DATE) AS pickup_day,
        hour(lpep_pickup_datetime) AS pickup_hour,
        payment_type,
        count(*) AS trips,
        sum(total_amount) AS total_amount,
        sum(fare_amount) AS fare_amount,
        sum(tip_amount) AS tip_amount,
        sum(trip_distance) AS trip_distance,
        count(fare_amount) AS fares,
        count(trip_distance) AS distances,
        sum(CASE WHEN epoch_us(lpep_dropoff_datetime) - epoch_us(lpep_pickup_datetime) BETWEEN 60000000 AND 21600000000 AND trip_distance > 0 AND trip_distance <= 200 THEN trip_distance END) AS timed_miles,
        sum(CASE WHEN epoch_us(lpep_dropoff_datetime) - epoch_us(lpep_pickup_datetime) BETWEEN 60000000 AND 21600000000 AND trip_distance > 0 AND trip_distance <= 200 THEN (epoch_us(lpep_dropoff_datetime) - epoch_us(lpep_pickup_datetime)) // 1000000 END) AS timed_seconds
    FROM (SELECT * FROM storage.green_tripdata WHERE filename = 'green_tripdata_2020-05.csv')
    GROUP BY pickup_day, pickup_hour, payment_type
)
ORDER BY pickup_day, pickup_hour, payment_type;

-- Nearly all pickups lie in the file's month, which is compared and not computed.
INSERT INTO zone_summary
SELECT
    'green_tripdata_2020-05.csv',
    'green',
    pickup_month,
    PULocationID,
    payment_type,
    pickup_month IS DISTINCT FROM DATE '2020-05-01' AS stray,
    trips,
    total_amount
FROM (
    SELECT
        CASE
            WHEN lpep_pickup_datetime >= DATE '2020-05-01' AND lpep_pickup_datetime < DATE '2020-06-01' THEN DATE '2020-05-01'
            ELSE CAST(date_trunc('month', lpep_pickup_datetime) AS DATE)
        END AS pickup_month,
        PULocationID,
        payment_type,
        count(*) AS trips,
        sum(total_amount) AS total_amount
    FROM (SELECT * FROM storage.green_tripdata WHERE filename = 'green_tripdata_2020-05.csv')
    GROUP BY pickup_month, PULocationID, payment_type
)
ORDER BY pickup_month, PULocationID, payment_type;

-- Whether a group is a stray's follows from its day, so that no single row is asked.
INSERT INTO trip_summary
SELECT
    'yellow_tripdata_2020-04.csv',
    'yellow',
    pickup_day,
    pickup_hour,
    payment_type,
    coalesce(pickup_day < DATE '2020-04-01' OR pickup_day >= DATE '2020-05-01', true) AS stray,
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
        CAST(tpep_pickup_datetime AS DATE) AS pickup_day,
        hour(tpep_pickup_datetime) AS pickup_hour,
        payment_type,
        count(*) AS trips,
        sum(total_amount) AS total_amount,
        sum(fare_amount) AS fare_amount,
        sum(tip_amount) AS tip_amount,
        sum(trip_distance) AS trip_distance,
        count(fare_amount) AS fares,
        count(trip_distance) AS distances,
        sum(CASE WHEN epoch_us(tpep_dropoff_datetime) - epoch_us(tpep_pickup_datetime) BETWEEN 60000000 AND 21600000000 AND trip_distance > 0 AND trip_distance <= 200 THEN trip_distance END) AS timed_miles,
        sum(CASE WHEN epoch_us(tpep_dropoff_datetime) - epoch_us(tpep_pickup_datetime) BETWEEN 60000000 AND 21600000000 AND trip_distance > 0 AND trip_distance <= 200 THEN (epoch_us(tpep_dropoff_datetime) - epoch_us(tpep_pickup_datetime)) // 1000000 END) AS timed_seconds
    FROM (SELECT * FROM storage.yellow_tripdata WHERE filename = 'yellow_tripdata_2020-04.csv')
    GROUP BY pickup_day, pickup_hour, payment_type
)
ORDER BY pickup_day, pickup_hour, payment_type;

-- Nearly all pickups lie in the file's month, which is compared and not computed.
INSERT INTO zone_summary
SELECT
    'yellow_tripdata_2020-04.csv',
    'yellow',
    pickup_month,
    PULocationID,
    payment_type,
    pickup_month IS DISTINCT FROM DATE '2020-04-01' AS stray,
    trips,
    total_amount
FROM (
    SELECT
        CASE
            WHEN tpep_pickup_datetime >= DATE '2020-04-01' AND tpep_pickup_datetime < DATE '2020-05-01' THEN DATE '2020-04-01'
            ELSE CAST(date_trunc('month', tpep_pickup_datetime) AS DATE)
        END AS pickup_month,
        PULocationID,
        payment_type,
        count(*) AS trips,
        sum(total_amount) AS total_amount
    FROM (SELECT * FROM storage.yellow_tripdata WHERE filename = 'yellow_tripdata_2020-04.csv')
    GROUP BY pickup_month, PULocationID, payment_type
)
ORDER BY pickup_month, PULocationID, payment_type;
