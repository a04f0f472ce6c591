#!/usr/bin/env bash
# Starts the server on its embedded store and shows it working; it runs until Ctrl-C
# (with --stop: until all is shown).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
binary=build/release/dyad-memory
port=${WS_SYNC_PORT:-8765}
folder=${DYAD_DEMO_DIR:-$PWD/build/demo}
stay=yes
[ "${1:-}" != --stop ] || stay=no
export DISTRIBUTED_USER_ID=${DISTRIBUTED_USER_ID:-demo@example.com}
url=http://127.0.0.1:$port
export DYAD_URL=$url

mkdir -p "$folder"
"$binary" serve --port "$port" --data-dir "$folder" 2>"$folder/server.log" &
server=$!
trap 'kill $server 2>/dev/null; wait $server 2>/dev/null' EXIT
for _ in $(seq 200); do
    kill -0 $server 2>/dev/null || { cat "$folder/server.log" >&2; exit 1; }
    "$binary" status >/dev/null 2>&1 && break
    sleep 0.05
done

# The words as one would type them: quoted only where a shell would take them apart.
quoted() {
    local word
    for word in "$@"; do
        case $word in
            '' | *[!A-Za-z0-9_./:@%+=,-]*) printf ' %s' "${word@Q}" ;;
            *) printf ' %s' "$word" ;;
        esac
    done
}
where=()
[ "$port" = 8765 ] || where=(--url "$url")
show() {
    printf '\n\033[1m$%s\033[0m\n' "$(quoted "$binary" "$@" "${where[@]}")"
    "$binary" "$@" "${where[@]}"
}

show context set project/plan '{"goal":"one memory for every assistant","step":1}'
show context get project/plan
show mode set didactic
show status
grep -F '[websocket_sync] WebSocket server started' "$folder/server.log"
if [ $stay = yes ]; then
    printf '\nThe server runs: %s (WebSocket ws://127.0.0.1:%s/sync, data in %s)\n' \
        "$url" "$port" "$folder"
    echo "Stop it with Ctrl-C. The memory stays: ./x demo finds it again."
    trap 'kill -TERM $server 2>/dev/null' INT TERM
    wait $server || true
fi
