-- The staged object as a table, every cell a text: a cell that does not fit is then one reject,
-- not a failed job. Lines that are no row are skipped here, and missed when lines are counted.
CREATE OR REPLACE EXTERNAL TABLE {external} ({file_columns})
OPTIONS (
    format = 'CSV',
    uris = ['{uri}'],
    {compression}
    skip_leading_rows = 1,
    max_bad_records = 2147483647,
    allow_quoted_newlines = FALSE,
    preserve_ascii_control_characters = TRUE,
    expiration_timestamp = TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL 1 DAY)
);
