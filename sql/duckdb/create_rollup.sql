-- Create a rollup table behind charts ({words}). A load writes it in the same transaction as the
-- trips, from the same rows. Times are New York wall-clock times, amounts dollars, distances miles.
-- A stray has its pickup outside the month of its file, or none.
CREATE TABLE {rollup} (
    filename VARCHAR NOT NULL,
    color VARCHAR NOT NULL,
    {key_definitions},
    stray BOOLEAN NOT NULL,
    {sum_definitions}
);
