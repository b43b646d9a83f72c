#!/bin/sh
# Installs into .venv-readers the programs that the tests let read what Fareground writes: dbt, the
# newest DuckDB 1.x, and earlier ones in folders of their own.
set -eu
cd "$(dirname "$0")/../../.."
folder=.venv-readers
wanted=requirements-readers.txt
if [ -n "$(find $folder/installed -newer $wanted 2>/dev/null)" ]; then
  exit 0
fi
"${PYTHON:-python3}" -m venv $folder
pip="$folder/bin/python -m pip install --quiet --disable-pip-version-check"
$pip -r $wanted
for version in 1.2.2 1.4.5; do
  $pip --no-deps --target "$folder/duckdb-$version" "duckdb==$version"
done
touch $folder/installed
