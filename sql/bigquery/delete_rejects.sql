-- Delete the rejects of a file's earlier load, before insert_rejects adds those of this load.
DELETE FROM rejects
WHERE filename = @filename;
