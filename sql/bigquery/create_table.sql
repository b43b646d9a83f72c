-- Create a production table. The merge of a file reads the partitions of its pickup months, and
-- within these only the blocks of that file (clusters). The second clustering column, the pickup
-- zone, makes ad-hoc queries cheaper.
CREATE TABLE IF NOT EXISTS {table} (
    unique_row_id BYTES NOT NULL OPTIONS (description = 'MD5 of what tells this row from any other'),
    filename STRING NOT NULL OPTIONS (description = 'The trip file that brought this row'),
    {column_definitions}
)
PARTITION BY TIMESTAMP_TRUNC({pickup}, MONTH)
CLUSTER BY filename, PULocationID
OPTIONS (description = 'NYC taxi trips, each exactly once; times are New York wall-clock times');
