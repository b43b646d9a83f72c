DELETE FROM {summary}
WHERE filename = @filename
    OR @filename IS NULL;
