DELETE FROM rejects
WHERE filename = @filename;
