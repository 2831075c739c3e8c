#!/usr/bin/env bash
# Make .venv with everything that the kit needs. The second call finds its stamp and takes no time.
#
#   tools/set_up.sh          what users need
#   tools/set_up.sh test     and what the tests need
#
# PYTHON=/path/to/python3.12 chooses the Python; otherwise the first one of 3.11 or newer on the path is taken.
set -eu
cd "$(dirname "$0")/.."

extra="${1:-}"
lock="requirements${extra:+-$extra}.lock"
oldest="3.11"

die() {
    printf 'error: %s\n' "$1" >&2
    exit 1
}

new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    found=""
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python}; do
        command -v "$candidate" >/dev/null 2>&1 || continue
        if new_enough "$candidate"; then
            command -v "$candidate"
            return
        fi
        version="$("$candidate" -c 'import platform; print(platform.python_version())' 2>/dev/null || true)"
        found="$found $candidate${version:+ is $version};"
    done
    die "the kit needs Python $oldest or newer, and found:${found:- none;} install it, or name it: make PYTHON=/path/to/python3.12"
}

require_venv() {
    "$1" -c 'import venv, ensurepip' >/dev/null 2>&1 && return
    version="$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
    die "$1 cannot make virtual environments. On Debian or Ubuntu: apt-get install python$version-venv"
}

stamp=".venv/.set-up${extra:+-$extra}"
# The folder is part of it: a virtual environment that was moved does not work.
wanted="$( (cat "$lock" pyproject.toml tools/set_up.sh; pwd) | cksum)"

if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] && .venv/bin/python -c '' 2>/dev/null; then
    exit 0
fi

if ! { [ -x .venv/bin/python ] && new_enough .venv/bin/python && .venv/bin/python -m pip --version >/dev/null 2>&1; }; then
    python="$(find_python)"
    require_venv "$python"
    echo "Making .venv with $python ($("$python" -c 'import platform; print(platform.python_version())'))"
    "$python" -m venv --clear .venv || die "the virtual environment .venv could not be made; see above"
fi

echo "Installing what the kit needs into .venv; the first time takes a minute or two"
export PIP_DISABLE_PIP_VERSION_CHECK=1
# The lock names every package with its hashes, so pip looks for nothing else, and takes nothing that differs.
.venv/bin/python -m pip install --quiet --require-hashes --no-deps -r "$lock" ||
    die "pip could not install what $lock names; see above. Is there a way to a package index from here?"
rm -rf ./*.egg-info # of an earlier version: Python would find its entry points first
.venv/bin/python -m pip install --quiet --no-deps --no-build-isolation -e . ||
    die "pip could not install the kit itself; see above"
printf '%s' "$wanted" >"$stamp"
