#!/bin/sh
# Installs the BigQuery emulator into .venv-emulators, on Python 3.13 or by uv. Without either it
# says so, and the tests that need it are skipped; with CI=true that is a failure.
set -eu
cd "$(dirname "$0")/../../.."
folder=.venv-emulators
wanted=requirements-emulators.txt
if [ -n "$(find $folder/installed -newer $wanted 2>/dev/null)" ]; then
  exit 0
fi
# A version manager may offer a python3.13 that does not start: each one is tried.
for python in python3.13 "$HOME"/.pyenv/versions/3.13*/bin/python3.13; do
  if "$python" -c "import venv, ensurepip" 2>/dev/null; then
    "$python" -m venv $folder
    $folder/bin/python -m pip install --quiet --disable-pip-version-check -r $wanted
    touch $folder/installed
    exit 0
  fi
done
if command -v uv >/dev/null; then
  uv venv --quiet --python 3.13 $folder
  uv pip install --quiet --python $folder/bin/python -r $wanted
  touch $folder/installed
  exit 0
fi
echo "Neither python3.13 nor uv is here, so the tests against BigQuery's emulator are skipped." >&2
[ "${CI:-}" != true ]
