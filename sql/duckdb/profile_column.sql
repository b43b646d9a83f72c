-- Compute the statistics of one column of a previewed file. Quantiles are discrete: values that
-- occur. The histogram covers the middle 98 % of the values, so that outliers do not flatten the
-- others.
SELECT
    count(*) - count({column}) AS nulls,
    count(DISTINCT {column}) AS different,
    min({column}) AS low,
    max({column}) AS high,
    quantile_disc({column}, [0.01, 0.25, 0.5, 0.75, 0.99]) AS quantiles
FROM {table};
