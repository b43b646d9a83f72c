-- One column of a previewed file in figures. Quantiles are values that occur, as is the histogram's
-- range: the middle 98 % of the values, so that a few absurd ones do not flatten all others.
SELECT
    count(*) - count({column}) AS nulls,
    count(DISTINCT {column}) AS different,
    min({column}) AS low,
    max({column}) AS high,
    quantile_disc({column}, [0.01, 0.25, 0.5, 0.75, 0.99]) AS quantiles
FROM trips;
