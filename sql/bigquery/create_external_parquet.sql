-- Define the staged parquet object as an external table with the column types of its year.
CREATE OR REPLACE EXTERNAL TABLE {external}
OPTIONS (
    format = 'PARQUET',
    uris = ['{uri}'],
    expiration_timestamp = TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL 1 DAY)
);
