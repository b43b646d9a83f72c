-- The dataset has the tables of this version from now on.
UPDATE warehouse_state
SET schema_version = @schema_version
WHERE TRUE;
