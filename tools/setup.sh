#!/usr/bin/env bash
# Create .venv with the locked packages, torch, xtcocotools and this package; does nothing if it is up to date.
# PYTHON=/path/to/python selects the interpreter (3.11, 3.12 or 3.13).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
unset VIRTUAL_ENV PYTHONHOME PYTHONPATH UV_PYTHON
if [ -n "${PIP_INDEX_URL:-}" ]; then export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$PIP_INDEX_URL}"; fi # uv does not read PIP_INDEX_URL

python=.venv/bin/python
torch_cpu_index=https://download.pytorch.org/whl/cpu

say() { echo "setup: $*"; }

sha256() { if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi; }

# Inputs of .venv, including its path (a virtual environment cannot be moved), and inputs of the package's installation.
environment_digest() { { pwd; cat requirements/{lock,torch,torch-cpu,xtcocotools}.txt tools/setup.sh; } | sha256; }
package_digest() { cat pyproject.toml transpose/__init__.py | sha256; }

# A stamp is written after its step has succeeded, so an incomplete .venv has none.
up_to_date() { [ -x "$python" ] && [ "$(cat ".venv/$1.stamp" 2>/dev/null)" = "$2" ]; }
write_stamp() {
    echo "$2" >".venv/$1.stamp.partial"
    mv ".venv/$1.stamp.partial" ".venv/$1.stamp"
}

pip_install() { "$python" -m pip install -qq --disable-pip-version-check "$@"; }

# Print the base interpreter, not that of an active virtual environment, which may be the one to replace.
find_python() {
    local candidate
    for candidate in ${PYTHON:-python3.11 python3.12 python3.13 python3}; do
        "$candidate" -c 'import sys; sys.version_info[:2] in ((3, 11), (3, 12), (3, 13)) or sys.exit(1); print(sys._base_executable)' \
            2>/dev/null && return
    done
    say "needs Python 3.11, 3.12 or 3.13 with venv (Debian 12: apt install python3 python3-venv); none of these is:" \
        "${PYTHON:-python3.11 python3.12 python3.13 python3}" >&2
    return 1
}

# uv, pinned by hash, installs ten times faster than pip; pip is the fallback.
install_lock() {
    awk '/^uv==/ { on = 1; print; next } on && /^ +--hash/ { print; next } { on = 0 }' requirements/lock.txt >.venv/uv.txt
    if pip_install --require-hashes -r .venv/uv.txt &&
        .venv/bin/uv pip install --quiet --python "$python" --require-hashes -r requirements/lock.txt; then
        return
    fi
    say "uv failed; installing with pip"
    pip_install --require-hashes -r requirements/lock.txt
}

# On Linux, torch from PyPI brings 3 GB of CUDA libraries that a machine without a GPU does not need. The CPU build is
# looked for in PyTorch's index or, where that does not respond, in pip's own sources. Both builds have pinned digests.
install_torch() {
    local index=() log=.venv/torch.log
    if [ "$(uname -s)" = Linux ] && ! command -v nvidia-smi >/dev/null; then
        if timeout 3 "$python" -c "import urllib.request; urllib.request.urlopen('$torch_cpu_index/torch/')" 2>/dev/null; then
            index=(--index-url "$torch_cpu_index")
        fi
        if pip_install --no-compile --no-deps --require-hashes "${index[@]}" -r requirements/torch-cpu.txt >"$log" 2>&1; then
            return
        fi
        say "no CPU build of torch with a pinned digest (log: $log); installing the build with CUDA"
    fi
    pip_install --no-compile --require-hashes -r requirements/torch.txt
}

# Without pip's cache, which may have a build against another NumPy.
install_xtcocotools() {
    local log=.venv/xtcocotools.log
    if pip_install --no-deps --no-build-isolation --use-pep517 --no-cache-dir --no-binary xtcocotools --require-hashes \
        -r requirements/xtcocotools.txt >"$log" 2>&1 && "$python" -c "import xtcocotools.cocoeval" >>"$log" 2>&1; then
        return
    fi
    "$python" -m pip uninstall -qq --yes xtcocotools 2>>"$log"
    say "xtcocotools was not built, so the second AP check is skipped; everything else works."
    say "To build it, install a C compiler and Python headers (Debian: gcc python3-dev), then rm -r .venv and make setup. Log: $log"
}

environment=$(environment_digest)
if ! up_to_date environment "$environment"; then
    base=$(find_python)
    say "creating .venv with $("$base" --version) (once; a minute or two)"
    rm -rf .venv
    "$base" -m venv .venv
    say "1/3 packages of requirements/lock.txt"
    install_lock
    say "2/3 torch"
    install_torch
    say "3/3 xtcocotools, from source"
    install_xtcocotools
    write_stamp environment "$environment"
fi

package=$(package_digest)
if ! up_to_date package "$package"; then
    pip_install --no-deps --no-build-isolation --editable .
    write_stamp package "$package"
    say "ready"
fi
