-- Sums of the trips of each file, so that charts need not read the trips. Written with the trips in
-- one transaction, from the same rows.
CREATE TABLE IF NOT EXISTS {summary} (
    filename STRING NOT NULL OPTIONS (description = 'The trip file'),
    color STRING NOT NULL OPTIONS (description = 'yellow or green'),
    {key_definitions},
    stray BOOL NOT NULL OPTIONS (description = 'Pickup outside the month of the file, or none'),
    {sum_definitions}
)
CLUSTER BY filename
OPTIONS (description = 'Sums of the trips by file, {words}');
