-- What every warehouse holds beside the production tables. Times are UTC.
CREATE SCHEMA storage;

CREATE TABLE storage.schema_version (version INTEGER NOT NULL);

CREATE SEQUENCE storage.ledger_entry;

-- One row for each time a file was loaded, found unchanged, failed, or found to be unavailable.
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
    seconds DOUBLE NOT NULL
);

-- Rows of the newest loaded version of each file that could not be cast. `line` counts from 1,
-- the header being line 1 of a CSV; for parquet it is the row number.
CREATE TABLE rejects (
    filename VARCHAR NOT NULL,
    line BIGINT NOT NULL,
    reason VARCHAR NOT NULL,
    content VARCHAR,
    run_id VARCHAR NOT NULL,
    rejected_at TIMESTAMP NOT NULL
);
