DELETE FROM zone_summary
WHERE filename = @filename
    OR @filename IS NULL;
