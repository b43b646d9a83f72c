-- Create a rollup table behind charts. A load writes it in the same transaction as the trips, from
-- the same rows, so that both always agree.
CREATE TABLE IF NOT EXISTS {rollup} (
    filename STRING NOT NULL OPTIONS (description = 'The trip file'),
    color STRING NOT NULL OPTIONS (description = 'The dataset, such as green'),
    {key_definitions},
    stray BOOL NOT NULL OPTIONS (description = 'Pickup outside the month of the file, or none'),
    {sum_definitions}
)
CLUSTER BY filename
OPTIONS (description = 'Sums of the trips by file, {words}');
