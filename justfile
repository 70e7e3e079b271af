# The same commands as the scripts; `just --list` shows them.

uv_compile := "uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command 'just lock' --extra build"

# Set up, start the stack and run the demo until Ctrl-C
dev-start *args:
    ./start_monitoring_demo.sh {{args}}

# Set up and run the tests
test *args:
    ./run_tests.sh {{args}}

# Run the tests marked `fuzz`, round after round with a new seed each, until one fails or Ctrl-C
fuzz *args:
    #!/usr/bin/env bash
    set -euo pipefail
    while true; do
        seed=$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')
        echo "== seed $seed; once more: just fuzz --hypothesis-seed=$seed {{args}}"
        .venv/bin/python -m pytest -m fuzz --hypothesis-profile fuzz --hypothesis-seed="$seed" --timeout 0 -q {{args}}
    done

# Check style, formatting and types
lint:
    .venv/bin/ruff check
    .venv/bin/ruff format --check
    .venv/bin/mypy

# Write schemas/records.py again from schemas/avro, after a change there
records:
    .venv/bin/python -m schemas.generate

# Lock the dependencies again, keeping what is locked already; `just lock --upgrade` takes newer ones
lock *args:
    {{uv_compile}} {{args}} --extra embedded --output-file requirements.txt
    {{uv_compile}} {{args}} --constraint requirements.txt --output-file requirements-worker.txt
    {{uv_compile}} {{args}} --extra embedded --extra dev --constraint requirements.txt --output-file requirements-dev.txt
    # a virtual environment of its own: the peers hold back some dependencies
    {{uv_compile}} {{args}} --extra embedded --extra dev --extra bench --output-file requirements-bench.txt

# Fetch the page's chart library again, by version, as its makers published it
vendor-uplot version="1.6.32":
    #!/usr/bin/env bash
    set -euo pipefail
    vendor="$PWD/agents/gateway/page/vendor"
    cd "$(mktemp -d)"
    npm pack --silent uplot@{{version}} | xargs tar -xzf # npm holds the archive to the digest of its registry
    cp package/dist/uPlot.esm.js "$vendor/"
    cp package/dist/uPlot.min.css "$vendor/uPlot.css"
    cp package/LICENSE "$vendor/uPlot.LICENSE"
    cd "$vendor" && sha256sum uPlot.LICENSE uPlot.css uPlot.esm.js > SHA256SUMS

# Check the types of the page's scripts (JSDoc)
lint-page:
    npx --yes --package typescript tsc --project agents/gateway/page/jsconfig.json

# Take the screenshots of agents/gateway/README.md again, of the stack that runs
screenshots:
    .venv/bin/python -m tests.support.screenshots
