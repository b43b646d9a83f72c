-- The staged object as a table, with whatever types its year used.
CREATE OR REPLACE EXTERNAL TABLE {external}
OPTIONS (
    format = 'PARQUET',
    uris = ['{uri}'],
    expiration_timestamp = TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL 1 DAY)
);
