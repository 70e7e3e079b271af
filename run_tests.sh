#!/usr/bin/env bash
# Set everything up and run the tests: ./run_tests.sh [pytest arguments], paths relative to the repository.
# Two files run at once, each process with servers of its own, for most tests wait; -n 0 runs one after the other.
set -euo pipefail

REPOSITORY=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
. "$REPOSITORY/deploy/setup.sh"

set_up dev
cd -- "$REPOSITORY"
get_programs prometheus || say "going on without Prometheus"
get_alertmanager || say "going on without Alertmanager"
get_kcat || say "going on without kcat"
get_chromium || say "going on without Chromium"
get_pgbouncer || say "going on without PgBouncer"
exec "$VENV_PYTHON" -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder "$@"
