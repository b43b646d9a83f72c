-- The file's rejects of an earlier load; insert_rejects puts in those of this one.
DELETE FROM rejects
WHERE filename = @filename;
