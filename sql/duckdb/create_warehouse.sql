-- Create the ledger, the rejects and the schema version of a new warehouse. Times are UTC.
CREATE SCHEMA storage;

-- `rollups` is a digest of the definitions that the rollups were computed by.
CREATE TABLE storage.schema_version (version INTEGER NOT NULL, rollups VARCHAR);

CREATE SEQUENCE storage.ledger_entry;

-- One row each time a file is loaded, found unchanged, fails or is unavailable. `unknown_columns`
-- lists the columns of the file that its dataset lacked at that time.
CREATE TABLE load_ledger (
    entry BIGINT DEFAULT nextval('storage.ledger_entry'),
    filename VARCHAR NOT NULL,
    color VARCHAR NOT NULL,
    month VARCHAR NOT NULL,
    state VARCHAR NOT NULL CHECK (state IN ('loaded', 'failed', 'unavailable')),
    run_id VARCHAR NOT NULL,
    source VARCHAR NOT NULL,
    address VARCHAR,
    format VARCHAR,
    bytes BIGINT,
    sha256 VARCHAR,
    etag VARCHAR,
    loader_version INTEGER NOT NULL,
    rows BIGINT,
    inserted BIGINT,
    updated BIGINT,
    deleted BIGINT,
    unchanged BIGINT,
    rejected BIGINT,
    rounded BIGINT,
    total_amount DECIMAL(18, 2),
    reason VARCHAR,
    finished_at TIMESTAMP NOT NULL,
    seconds DOUBLE NOT NULL,
    unknown_columns VARCHAR,
    unpacked_bytes BIGINT
);

-- Rows that could not be read, for the newest loaded version of each file. `line` is the line of a
-- CSV file, whose header is line 1, or the row number of a parquet file, from 1.
CREATE TABLE rejects (
    filename VARCHAR NOT NULL,
    line BIGINT NOT NULL,
    reason VARCHAR NOT NULL,
    content VARCHAR,
    run_id VARCHAR NOT NULL,
    rejected_at TIMESTAMP NOT NULL
);
