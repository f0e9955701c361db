"""Damages one kind of file guided by what code each damage reaches, for some time (needs `pip install atheris`).

    python tools/fuzz_guided.py KIND [SECONDS]

Ends at the first file that is neither read nor refused by an InputError of one line, and keeps it as `crash-*` in the
current folder. `tools/fuzz.py` draws blindly, but knows JSON values.
"""

import sys
import tempfile
from importlib import import_module
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

# No part of the locked environment: not every machine has a wheel of it.
atheris = import_module("atheris")

with atheris.instrument_imports(include=["transpose"]):
    from tests.conftest import write_tiny_dataset
    from tests.damage import Kind, damaged, is_clear, kinds_of, path_of
    from transpose.errors import InputError

_SEEDS = 200
"""Damaged files that the search starts from."""


def main() -> None:
    name, seconds = (*sys.argv[1:], "60")[:2]
    folder = Path(tempfile.mkdtemp())
    (folder / "scratch").mkdir()
    kinds = kinds_of(write_tiny_dataset(folder / "tiny"), folder / "scratch")
    if name not in kinds:
        raise SystemExit(f"no kind {name!r}: one of {', '.join(kinds)}")
    kind = kinds[name]
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, data in enumerate([kind.whole, *(damaged(kind, seed) for seed in range(_SEEDS))]):
        (corpus / str(number)).write_bytes(data)
    path = path_of(name, kind, folder / "cases")
    atheris.Setup([sys.argv[0], f"-max_total_time={seconds}", str(corpus)], lambda data: read(kind, path, data))
    atheris.Fuzz()


def read(kind: Kind, path: Path, data: bytes) -> None:
    """Read the file with this content; whatever else than a clear refusal comes out is the fuzzer's find."""
    path.write_bytes(data)
    try:
        kind.read(path)
    except InputError as refusal:
        if not is_clear(str(refusal), path):
            raise RuntimeError(str(refusal)) from refusal


if __name__ == "__main__":
    main()
