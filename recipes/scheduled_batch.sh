#!/bin/sh
# Run a batch from a scheduler such as cron, which gives next to no environment and mails what is printed.
#
#     scheduled_batch.sh TABLE [OPTION OF idc batch]...
#
# One folder for each day: given again on the same day, it goes on where it ended. At most one at a time.
# Prints nothing when every job passed; otherwise the end of the log, and exits with the batch's status.
#
# Variables (all have a default):
#     IDC_KIT          the kit's folder                      [the one that this file is in]
#     IDC_RUNS         where batches and logs are kept       [$IDC_KIT/runs]
#     IDC_KEEP_DAYS    logs older than this are deleted      [30]
set -u
umask 077

if [ "$#" -lt 1 ]; then
    echo "usage: scheduled_batch.sh TABLE [OPTION OF idc batch]..." >&2
    exit 2
fi
if [ ! -r "$1" ]; then
    echo "error: the table $1 cannot be read. Check the path; cron needs a whole one." >&2
    exit 2
fi
table=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
shift

kit=${IDC_KIT:-$(cd "$(dirname "$0")/.." && pwd)}
runs=${IDC_RUNS:-$kit/runs}
# cron's PATH is /usr/bin:/bin: neither the kit's nor, on some systems, where the AWS CLI is.
PATH=$kit/.venv/bin:/usr/local/bin:/usr/bin:/bin
export PATH

name=$(basename "$table")
name=${name%.*}
day=$(date +%Y-%m-%d)
mkdir -p "$runs/scheduled" || exit 1
log=$runs/scheduled/$name-$day.log
cd "$kit" || exit 1

# One at a time, however long yesterday's takes. The lock ends with the process that holds it.
exec 9>"$runs/scheduled/$name.lock"
if ! flock -n 9; then
    echo "$name: the previous batch is still running; nothing was started. Its log: $log"
    exit 75
fi

# 9>&-: what the batch starts and leaves running, such as a sandbox, must not hold the lock.
idc batch "$table" --out "$runs/$name-$day" "$@" >>"$log" 2>&1 9>&-
status=$?
if [ "$status" -ne 0 ]; then
    echo "$name: the batch ended with status $status. The end of $log:"
    tail -n 40 "$log"
fi
find "$runs/scheduled" -name "$name-*.log" -mtime +"${IDC_KEEP_DAYS:-30}" -delete
exit "$status"
