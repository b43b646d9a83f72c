-- Count the rows of each finding in a previewed file, in one pass.
SELECT {counts}
FROM trips;
