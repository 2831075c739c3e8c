#!/usr/bin/env bash
# See that the clients that tests drive are there: an AWS CLI v2 and Chromium.
#
# What is missing is installed by apt where that is possible (as root, on Debian or Ubuntu); else it is named.
set -eu

die() {
    printf 'error: %s\n' "$1" >&2
    exit 1
}

has_command_line() {
    # A v1 may stand before a v2 on the path.
    for program in $(type -ap aws); do
        "$program" --version 2>&1 | grep -q '^aws-cli/2\.' && return 0
    done
    return 1
}

has_browser() {
    command -v chromium >/dev/null 2>&1 || command -v chromium-browser >/dev/null 2>&1
}

look() {
    missing=""
    has_command_line || missing="awscli"
    has_browser || missing="$missing chromium"
}

can_install() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1
}

look
if [ -n "$missing" ] && can_install; then
    echo "Installing ${missing# } by apt, for the tests"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq || die "apt-get update failed; see above. The tests need: $missing"
    # shellcheck disable=SC2086  one word a package
    apt-get install -qq -y --no-install-recommends $missing >/dev/null || die "apt-get could not install: $missing"
    look
fi
case "$missing" in
    "") ;;
    *awscli*) die "the tests need an AWS CLI v2, and there is none (missing: $missing). Install it: https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html" ;;
    *) die "the tests need Chromium. On Debian or Ubuntu: apt-get install chromium" ;;
esac
# With it the suite takes less time; without it the tests use Chromium itself.
if ! command -v chromium-headless-shell >/dev/null 2>&1 && can_install; then
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium-headless-shell \
        >/dev/null 2>&1 || true
fi
