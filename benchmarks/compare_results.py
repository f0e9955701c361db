"""Time and memory of `transpose compare` on two files of random results.

python -m benchmarks.compare_results --images 5000 --results 100000
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.random_data import random_annotations
from transpose.evaluation.reference_evaluators import reference_metrics
from transpose.files import write_json
from transpose.inference.poses import PoseResults
from transpose.skeleton import COCO_PERSON

_PERSONS_PER_IMAGE = 2.2
"""That of COCO val2017, whose 5,000 images have about 11,000 annotated persons."""
_MOVED = 1.5
"""Standard deviation, in pixels, of the second file's keypoints about the first file's."""


def main() -> None:
    """Print the seconds and the peak memory of one comparison."""
    parser = argparse.ArgumentParser(description="Time and memory of transpose compare on random results.")
    parser.add_argument("--images", type=int, default=5_000)
    parser.add_argument("--results", type=int, default=100_000, help="results in each file")
    parser.add_argument("--samples", type=int, default=1_000)
    parser.add_argument("--reference", action="store_true", help="compare A's metrics with the reference evaluators")
    settings = parser.parse_args()
    people = random_annotations(settings.images, int(_PERSONS_PER_IMAGE * settings.images), settings.results, seed=0)
    with TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("annotations.json", "a.json", "b.json")]
        write_json(paths[0], people.annotations.to_coco(), indent=None)
        write_json(paths[1], people.detections.to_coco(), indent=None)
        write_json(paths[2], moved(people.detections).to_coco(), indent=None)
        command = [sys.executable, "-m", "transpose", "compare", str(paths[1]), str(paths[2])]
        report = Path(folder) / "compared.json"
        command += ["--annotations", str(paths[0]), "--samples", str(settings.samples), "--json", str(report)]
        start = time.perf_counter()
        subprocess.run(command, check=True)
        seconds = time.perf_counter() - start
        size = sum(path.stat().st_size for path in paths) / 1e6
        metrics = json.loads(report.read_text())["results"][0]["metrics"]
    # In kilobytes on Linux, in bytes on macOS.
    unit = 1e6 if sys.platform == "darwin" else 1e3
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        f"{settings.images:,} images, {settings.results:,} results a file, {settings.samples:,} samples:"
        f" {seconds:.1f} s, {usage.ru_utime:.1f} s of processor time, {usage.ru_maxrss / unit:,.0f} MB of memory,"
        f" {size:.0f} MB of files; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}",
        flush=True,
    )
    if settings.reference:
        # Twice as long as the comparison, so it is not part of it.
        for name, found in reference_metrics(people.annotations, people.detections, COCO_PERSON).items():
            largest = max(abs(found[metric] - metrics[metric]) for metric in found)
            print(f"{name}: all ten metrics of A agree to {largest:.1e}", flush=True)


def moved(results: PoseResults) -> PoseResults:
    """Return results with a little noise in all positions and scores."""
    rng = np.random.default_rng(1)
    keypoints = results.keypoints.copy()
    keypoints[..., :2] += rng.normal(0, _MOVED, keypoints[..., :2].shape)
    scores = np.clip(results.scores + rng.normal(0, 0.02, len(results)), 0, 1)
    return PoseResults(results.image_ids, keypoints, scores)


if __name__ == "__main__":
    main()
