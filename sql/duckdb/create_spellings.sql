-- Create the table of the texts that a cast alone does not read, with what `pipeline.core.cells`
-- reads them as. `place` is the number of the column in the dataset.
CREATE OR REPLACE TEMP TABLE spellings (
    place INTEGER,
    text VARCHAR,
    value VARCHAR,
    rounded BOOLEAN,
    reason VARCHAR
);
