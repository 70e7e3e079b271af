#!/usr/bin/env bash
# Set everything up and run the main job on the embedded stack until Ctrl-C, or with --once until its summary.
set -euo pipefail

REPOSITORY=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
. "$REPOSITORY/deploy/setup.sh"

set_up runtime
get_programs prometheus || say "going on without: no history, no alerts"
export THREADS_HOME="${THREADS_HOME:-$REPOSITORY/.threads-agent}"
exec "$VENV_PYTHON" -P -m streams.cli.main demo "$@"
