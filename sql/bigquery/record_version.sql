-- Record the schema version of the dataset's tables and the definitions of its rollups.
UPDATE warehouse_state
SET schema_version = @schema_version, rollups = @rollups
WHERE TRUE;
