-- Create the table of rows that could not be read, for the newest loaded version of each file.
CREATE TABLE IF NOT EXISTS rejects (
    filename STRING NOT NULL OPTIONS (description = 'The trip file'),
    line INT64 NOT NULL OPTIONS (description = 'From 1, the header; of parquet the row number'),
    reason STRING NOT NULL OPTIONS (description = 'Which column, and what is wrong'),
    content STRING OPTIONS (description = 'The line, at most 1000 characters of it'),
    run_id STRING NOT NULL OPTIONS (description = 'The run that rejected it'),
    rejected_at TIMESTAMP NOT NULL OPTIONS (description = 'UTC')
)
CLUSTER BY filename
OPTIONS (description = 'Rows of trip files that could not be loaded');
