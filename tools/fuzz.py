"""Damage input files of every kind at random, read them, and count the outcomes.

    python tools/fuzz.py [CASES] [FIRST_SEED]

A file must be read or refused by a one-line InputError; other outcomes are printed with their seed.
"""

import os
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.conftest import write_tiny_dataset
from tests.helpers.damage import Kind, damaged, is_clear, kinds_of, path_of
from transpose.errors import InputError


def main() -> int:
    cases, first = (int(argument) for argument in (*sys.argv[1:], "2000", "0")[:2])
    warnings.simplefilter("error")
    failures = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "scratch").mkdir()
        for kind_name, kind in kinds_of(write_tiny_dataset(folder / "tiny"), folder / "scratch").items():
            begin = time.monotonic()
            counts = fuzz(kind_name, kind, folder, range(first, first + cases))
            failures += counts["failed"]
            shown = ", ".join(f"{counts[outcome]} {outcome}" for outcome in ("read", "refused", "failed"))
            print(
                f"{kind_name}: {cases} cases from seed {first}: {shown}; {time.monotonic() - begin:.0f} s", flush=True
            )
    return 1 if failures else 0


def fuzz(name: str, kind: Kind, folder: Path, seeds: range) -> Counter[str]:
    """Read damaged files and count the outcomes."""
    path = path_of(name, kind, folder / "cases")
    counts: Counter[str] = Counter()
    for seed in seeds:
        path.write_bytes(damaged(kind, seed))
        try:
            with silent_decoders():
                kind.read(path)
            counts["read"] += 1
        except InputError as refusal:
            clear = is_clear(str(refusal), path)
            counts["refused" if clear else "failed"] += 1
            if not clear:
                print(f"{name}, seed {seed}: {refusal}")
        except Exception:
            counts["failed"] += 1
            print(f"{name}, seed {seed}:\n{traceback.format_exc(limit=-4)}")
    return counts


@contextmanager
def silent_decoders() -> Iterator[None]:
    """Silence stderr of C libraries, which write thousands of lines about damaged images."""
    before, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)
        os.close(nowhere)


if __name__ == "__main__":
    sys.exit(main())
