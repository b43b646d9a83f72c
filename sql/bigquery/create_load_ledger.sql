-- Create the ledger: one row each time a file is loaded, found unchanged, fails or is unavailable.
-- pickup_months lists the pickup months of the file's rows in the table (202004; 0 for no pickup):
-- the next load of the file reads only the partitions of these months and of its own.
CREATE TABLE IF NOT EXISTS load_ledger (
    entry INT64 NOT NULL OPTIONS (description = 'Grows with every entry'),
    filename STRING NOT NULL OPTIONS (description = 'The trip file'),
    color STRING NOT NULL OPTIONS (description = 'The dataset, such as green'),
    month STRING NOT NULL OPTIONS (description = 'YYYY-MM'),
    state STRING NOT NULL OPTIONS (description = 'loaded, failed or unavailable'),
    run_id STRING NOT NULL OPTIONS (description = 'The run that wrote this entry'),
    source STRING NOT NULL OPTIONS (description = 'The source as it was asked for'),
    address STRING OPTIONS (description = 'Where the file really came from'),
    format STRING OPTIONS (description = 'csv, csv.gz or parquet'),
    bytes INT64 OPTIONS (description = 'Size of the file as published'),
    sha256 STRING OPTIONS (description = 'Checksum of the file as published'),
    etag STRING OPTIONS (description = 'Version of the file at its source'),
    loader_version INT64 NOT NULL OPTIONS (description = 'Version of the loading rules'),
    `rows` INT64 OPTIONS (description = 'Rows of the file in the table afterwards'),
    inserted INT64 OPTIONS (description = 'Rows that were new'),
    updated INT64 OPTIONS (description = 'Rows that changed'),
    deleted INT64 OPTIONS (description = 'Rows that the file no longer has'),
    unchanged INT64 OPTIONS (description = 'Rows that were as before'),
    rejected INT64 OPTIONS (description = 'Rows that could not be cast'),
    rounded INT64 OPTIONS (description = 'Rows with an amount of more than two decimals'),
    total_amount NUMERIC OPTIONS (description = 'Sum over the rows, in dollars'),
    reason STRING OPTIONS (description = 'Why it failed, or was not loaded again'),
    finished_at TIMESTAMP NOT NULL OPTIONS (description = 'UTC'),
    seconds FLOAT64 NOT NULL OPTIONS (description = 'How long it took'),
    pickup_months STRING OPTIONS (description = 'Months of pickup of the rows in the table'),
    unknown_columns STRING OPTIONS (description = 'Columns of the file that were not loaded'),
    unpacked_bytes INT64 OPTIONS (description = 'Size of the file without compression')
)
CLUSTER BY filename
OPTIONS (description = 'What happened to each trip file');
