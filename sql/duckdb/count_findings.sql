-- How many rows of a previewed file each finding is about, in one pass.
SELECT {counts}
FROM trips;
