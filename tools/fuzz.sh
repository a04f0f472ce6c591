#!/usr/bin/env bash
# Every fuzz target for some seconds, from its corpus. Inputs that reach new code are added to
# tests/fuzz/corpus (not where CI=true); inputs that break something are kept in
# tests/fuzz/findings.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
seconds=60
if [ $# -gt 0 ]; then
    if [ $# != 2 ] || [ "$1" != --seconds ] || ! [[ $2 =~ ^[1-9][0-9]*$ ]]; then
        echo "usage: ./x fuzz [--seconds N]   N seconds for each target, default $seconds" >&2
        exit 2
    fi
    seconds=$2
fi
passed=0 failed=0
for program in build/fuzz/tests/fuzz/fuzz_*; do
    [ -x "$program" ] && [ -f "$program" ] || continue
    name=${program##*/fuzz_}
    mkdir -p "tests/fuzz/corpus/$name" "tests/fuzz/findings" "build/fuzz/new/$name"
    echo "== $name"
    if "$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="tests/fuzz/findings/$name-" \
        "build/fuzz/new/$name" "tests/fuzz/corpus/$name" 2>&1 | tail -8; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
    fi
    [ "${CI:-}" = true ] ||
        "$program" -merge=1 "tests/fuzz/corpus/$name" "build/fuzz/new/$name" >/dev/null 2>&1 || true
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
