-- Sums of the trips of each file ({words}), so that charts need not read the trips. Written with the
-- trips in one transaction, from the same rows. A stray is a trip whose pickup lies outside its file's
-- month, or that has none. Times are New York wall-clock times, amounts dollars, distances miles.
CREATE TABLE {summary} (
    filename VARCHAR NOT NULL,
    color VARCHAR NOT NULL,
    {key_definitions},
    stray BOOLEAN NOT NULL,
    {sum_definitions}
);
