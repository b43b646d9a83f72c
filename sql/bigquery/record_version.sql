UPDATE warehouse_state
SET schema_version = @schema_version
WHERE TRUE;
