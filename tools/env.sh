# Sourced by run, test and .ci/run: the one place that makes the environment in .venv.
#
#   ensure_env run     what running needs (requirements/lock.txt)
#   ensure_env dev     tests, linters and docs besides (requirements/dev.txt)
#
# A stamp inside .venv, written last, holds the fingerprint of what was installed; while it fits, nothing is done.
# A setup that was cut short leaves a mark behind, and the next one starts afresh. Everything is told on stderr.

say() { printf 'counterpoise: %s\n' "$*" >&2; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then sudo -n "$@"; else return 1; fi
}

debian_install() { # debian_install PACKAGE...: quietly, where we may
    command -v apt-get >/dev/null || return 1
    as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq >/dev/null 2>&1 || true
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null 2>&1
}

find_python() { # print a Python that is new enough and can make environments
    local name
    for name in python3.11 python3 python3.12 python3.13; do
        if command -v "$name" >/dev/null &&
            "$name" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$name"
            return
        fi
    done
    return 1
}

make_env() { # make_env: an empty environment in .venv
    local python
    if ! python=$(find_python); then
        say "no Python 3.11 or newer with its venv module; trying to install Debian's"
        debian_install python3 python3-venv || true
        if ! python=$(find_python); then
            say "Python 3.11 or newer with venv and ensurepip is needed and was not found."
            say "On Debian or Ubuntu: apt-get install python3 python3-venv"
            return 1
        fi
    fi
    "$python" -m venv --clear .venv
}

fingerprint() { # fingerprint FILE...: of their contents, and of where they lie
    { pwd -P && cat "$@"; } | sha256sum | cut -d ' ' -f 1
}

install_lock() { # install_lock FILE TOTAL: tells each package as it comes
    local done=0 line status=0
    while read -r line; do
        case $line in
        status=*) status=${line#status=} ;;
        'Requirement already satisfied: '*) done=$((done + 1)) ;;
        *' (from -r '*) # one line for each package of the lock, fetched, local or already there
            done=$((done + 1))
            line=${line%% (from -r *}
            line=${line##*[ /]}
            say "$done/$2 ${line%%-*.whl}"
            ;;
        'Installing collected packages'*) say "unpacking" ;;
        esac
    done < <(
        .venv/bin/python -m pip install --disable-pip-version-check --no-input --no-deps --progress-bar off -r "$1"
        echo "status=$?"
    )
    return "$status"
}

ensure_env() { # ensure_env run|dev
    local level=$1 locks=(requirements/lock.txt) want stamp
    [ "$level" = run ] || locks+=(requirements/dev.txt)
    want=$(fingerprint pyproject.toml "${locks[@]}")
    stamp=.venv/.counterpoise-$level
    [ -x .venv/bin/counterpoise ] && [ "$(cat "$stamp" 2>/dev/null)" = "$want" ] && return 0

    exec 9<pyproject.toml # two setups at once take turns
    if command -v flock >/dev/null; then flock 9; fi
    if [ -x .venv/bin/counterpoise ] && [ "$(cat "$stamp" 2>/dev/null)" = "$want" ]; then
        exec 9<&-
        return 0
    fi
    if [ -e .venv/.counterpoise-setup ] || ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
        say "making the environment in .venv (once, a minute or two)"
        make_env || return 1
    else
        say "bringing the environment in .venv up to date"
    fi
    : >.venv/.counterpoise-setup
    rm -f "$stamp"
    if ! install_lock "${locks[-1]}" "$(cat "${locks[@]}" | grep -c '==')"; then
        say "the packages could not be installed; what pip said stands above. Mend it and start again."
        return 1
    fi
    # The build tools are in the lock, so that nothing else is fetched.
    if ! .venv/bin/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation -e . >&2; then
        say "the package itself could not be installed; what pip said stands above."
        return 1
    fi
    if [ "$level" = dev ]; then fingerprint pyproject.toml requirements/lock.txt >.venv/.counterpoise-run; fi
    printf '%s\n' "$want" >"$stamp"
    rm -f .venv/.counterpoise-setup
    exec 9<&-
    say "the environment is ready"
}
