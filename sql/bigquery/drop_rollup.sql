-- Drop a rollup whose columns are those of an earlier schema version; it is created and filled
-- again.
DROP TABLE IF EXISTS {rollup};
