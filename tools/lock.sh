#!/usr/bin/env bash
# Write requirements/lock.txt, docs.txt and torch.txt from pyproject.toml, and environment.yml from the lock file.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

compile() {
    .venv/bin/uv pip compile "$@" --constraints requirements/constraints.txt --universal --python-version 3.11 \
        --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --quiet
}
compile pyproject.toml --extra pipeline --extra detector --extra onnx --extra openvino --extra serve --extra evaluators \
    --group test --group lint --group setup --no-emit-package torch --output-file requirements/lock.txt
compile --group docs --output-file requirements/docs.txt
# With what torch itself requires, CUDA libraries included, and not with its metadata in pyproject.toml.
compile - --no-config --constraints requirements/lock.txt --output-file requirements/torch.txt <<<torch

torch=$(grep -m 1 '^torch==' requirements/constraints.txt)
{
    cat <<HEADER
# Written by \`make lock\`: torch and the pins of requirements/lock.txt for conda users. Untested; \`make setup\` is tested.
#     conda env create --file environment.yml && conda activate transpose && pip install --no-deps --editable .
# Without a GPU, skip the CUDA libraries: PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu conda env create ...
# Optional second AP check (needs a C compiler): pip install --no-build-isolation --no-deps -r requirements/xtcocotools.txt
name: transpose
channels:
  - conda-forge
dependencies:
  - python=3.11
  - pip
  - pip:
      - $torch
HEADER
    sed -nE 's/^([a-z0-9][^ ]*==[^\\]*[^ \\]) *\\?$/      - \1/p' requirements/lock.txt
} >environment.yml.partial
mv environment.yml.partial environment.yml
