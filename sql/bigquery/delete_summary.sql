-- A file's sums, before they are filled anew; without a filename those of all files.
DELETE FROM {summary}
WHERE filename = @filename
    OR @filename IS NULL;
