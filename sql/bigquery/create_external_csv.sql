-- Define the staged CSV object as an external table of text columns, so that a cell of the wrong
-- type becomes one reject, not a failed job. BigQuery skips lines that are no rows; the comparison
-- with the file's line count finds them.
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
