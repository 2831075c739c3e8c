#!/usr/bin/env bash
# Renew the locks: everything that `make` installs, with PyPI's hashes, for every supported Python and system.
#
#   tools/lock.sh               what requirements.txt and pyproject.toml ask for; the other versions stay
#   tools/lock.sh --upgrade     the newest versions that they allow
#
# The locks hold names, versions and hashes alone, whatever index or mirror this machine reads.
set -eu
cd "$(dirname "$0")/.."

uv="uv==0.13.9"

[ -x .venv/bin/python ] || tools/set_up.sh
.venv/bin/python -m pip install --quiet --disable-pip-version-check "$uv"

lock() {
    file="$1"
    shift
    .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
        --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --output-file "$file" "$@"
    echo "$file: $(grep -c '^[a-z0-9].*==' "$file") packages"
}

# `make` builds the kit itself with what the lock holds, so that is in it too.
build() {
    .venv/bin/python -c 'import pathlib, tomllib
print(*tomllib.loads(pathlib.Path("pyproject.toml").read_text("utf-8"))["build-system"]["requires"], sep="\n")'
}

build | lock requirements.lock requirements.txt - "$@"
# The tests' lock has the same versions of what both have.
build | lock requirements-test.lock --constraints requirements.lock --extra test pyproject.toml - "$@"
