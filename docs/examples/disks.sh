#!/bin/sh
# What disks a machine has, one a line: drive, size in bytes, image.  Needs socat and jq.
#   disks.sh SOCKET            SOCKET as in -qmp unix:SOCKET,server=on,wait=off
set -eu

# qmp COMMAND…: the replies, without the greeting, that of qmp_capabilities, and events.
qmp() {
    { printf '{"execute":"qmp_capabilities"}'; printf '{"execute":"%s"}' "$@"; } |
        socat -t 5 - "UNIX-CONNECT:$socket" | jq -c 'select(has("return")) | .return' | tail -n "+2"
}

socket=$1
qmp query-block | jq -r '.[] | select(has("inserted")) |
    [ (if .device == "" then .qdev else .device end), .inserted.image."virtual-size", .inserted.image.filename ] | @tsv'
