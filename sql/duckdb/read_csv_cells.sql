-- Read a CSV file of rows alone into `cells`, every cell as its text.
CREATE OR REPLACE TEMP TABLE cells AS
SELECT {texts}
FROM read_csv(
    $path,
    compression = 'none',
    columns = {file_columns},
    header = true,
    auto_detect = false,
    delim = ',',
    quote = '"',
    escape = '"',
    strict_mode = true,
    max_line_size = 2000000
);
