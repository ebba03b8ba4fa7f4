#!/usr/bin/env bash
# The virtual environment .venv from uv.lock, on a machine with Python 3.11 or newer.
# Where uv is missing it is fetched by pip into .uv, a plain virtual environment of its own.
# "setup.sh lock" resolves the dependencies anew instead.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/debian.sh

suits() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))' 2>/dev/null
}

find_python() {
    local name
    for name in "${PYTHON:-python3}" python3.13 python3.12 python3.11 python3.14; do
        if command -v "$name" >/dev/null && suits "$name"; then
            command -v "$name"
            return
        fi
    done
    say "Python 3.11 to 3.14 is needed and was not found; PYTHON=/path/to/python names one."
    return 1
}

can_make_venvs() {
    "$python" -c 'import ensurepip' 2>/dev/null
}

bootstrap_uv() {
    if ! can_make_venvs; then
        install_debian python3-venv || true
    fi
    if ! can_make_venvs; then
        say "This Python cannot make virtual environments. Install it once, as root:" \
            "apt-get install python3-venv"
        return 1
    fi
    say "fetching uv into .uv"
    "$python" -m venv --clear .uv
    echo '*' >.uv/.gitignore
    .uv/bin/python -m pip install --quiet --disable-pip-version-check 'uv>=0.13'
}

python=$(find_python)
uv=$(command -v uv || echo .uv/bin/uv)
if ! "$uv" --version >/dev/null 2>&1; then
    uv=.uv/bin/uv
    "$uv" --version >/dev/null 2>&1 || bootstrap_uv
fi
export UV_PYTHON_DOWNLOADS=never

if [ "${1:-}" = lock ]; then
    exec "$uv" lock --upgrade --python "$python"
fi
say "setting up .venv from uv.lock"
# Compiled ahead: a node starts in a third of the time, also where Python may not write bytecode.
"$uv" sync --quiet --locked --all-extras --compile-bytecode --python "$python"
.venv/bin/python -m compileall -q waystation
.venv/bin/waystation --version >/dev/null
