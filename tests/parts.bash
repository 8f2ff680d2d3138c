# For tests/run and .ci/run: runs a script's parts one by one and ends with a table of their wall times.
# shellcheck shell=bash

parts_table=()

# part NAME COMMAND…: ends the script with the command's status when it fails. Bash ignores `set -e` in a command
# whose status is asked for, so a function run here joins its steps by `&&`.
part() {
    local name=$1 start=$EPOCHREALTIME status=0
    shift
    printf '\n== %s\n' "$name"
    "$@" || status=$?
    local tenths=$(((${EPOCHREALTIME/[.,]/} - ${start/[.,]/}) / 100000)) verdict=ok
    ((status == 0)) || verdict=FAILED
    parts_table+=("$(printf '%6d.%d s  %-6s  %s' $((tenths / 10)) $((tenths % 10)) "$verdict" "$name")")
    ((status == 0)) || exit "$status"
}

print_parts() {
    ((${#parts_table[@]} == 0)) || printf '%s\n' '' "${parts_table[@]}"
}
trap print_parts EXIT
