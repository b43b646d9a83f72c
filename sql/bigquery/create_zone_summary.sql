-- As trip_summary, by month and zone of pickup.
CREATE TABLE IF NOT EXISTS zone_summary (
    filename STRING NOT NULL OPTIONS (description = 'The trip file'),
    color STRING NOT NULL OPTIONS (description = 'yellow or green'),
    pickup_month DATE OPTIONS (description = 'First day of the month of the pickups'),
    PULocationID INT64 OPTIONS (description = 'Zone of the pickups'),
    payment_type INT64 OPTIONS (description = 'How the trips were paid'),
    stray BOOL NOT NULL OPTIONS (description = 'Pickup outside the month of the file, or none'),
    trips INT64 NOT NULL OPTIONS (description = 'How many trips'),
    total_amount NUMERIC OPTIONS (description = 'Sum, in dollars')
)
CLUSTER BY filename
OPTIONS (description = 'Trips by file, month, zone and payment');
