-- Read a parquet file into `cells`, every cell as its text.
CREATE OR REPLACE TEMP TABLE cells AS
SELECT {texts}
FROM read_parquet($path);
