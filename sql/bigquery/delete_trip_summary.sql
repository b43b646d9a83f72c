DELETE FROM trip_summary
WHERE filename = @filename
    OR @filename IS NULL;
