"""Descriptions of the experiment, its runs and models, as MLflow shows them."""

from transpose.tracking.record import TrackedRun

EXPERIMENT = """\
Trainings of a study. Each run with runs under it is a study, with its tables, figures and report as artifacts; each of
the others is the training of a variant with a seed.

- `AP_DATASET_SPLIT_BOXES` (`PCKh50_...` on MPII): accuracy of the best weights with one source of person boxes.
- `loss`, `validation_AP`: by epoch.
- `training/`, `cost/`, `system/`: time of the training, size and speed of the network, load of the machine.

All other numbers are artifacts: `evaluations.json`, `keypoints.json` and the files under `metrics/`, `training/` and
`cost/`. Runs with the tag `superseded` were replaced by a later training.
"""

STUDY = """\
The study's tables, figures and report: `comparison.csv` compares the variants, `ablations.md` answers the study's
questions, `figures/` has the training curves. The runs under this one are its trainings.
"""


def of_training(record: TrackedRun) -> str:
    """Return where a training's weights come from and which epoch they are of."""
    sentences = [f"{record.recipe.variant.title}, seed {record.seed}."]
    if "training/best_epoch" in record.metrics:
        accuracy = "" if record.best_value is None else f", where the validation has {record.best_value:.4f}"
        sentences.append(f"The weights are of epoch {record.metrics['training/best_epoch']:.0f}{accuracy}.")
    return " ".join(sentences)


def of_model(record: TrackedRun) -> str:
    """Return what the model takes and returns."""
    return (
        f"{record.recipe.variant.title}, trained with seed {record.seed}. Takes images (the bytes of a file, their"
        " Base64, or a path) with optional person boxes x, y, width, height in pixels, and returns for each box the"
        " keypoints by name with x, y in image pixels and a score. Without boxes, the whole image is one."
    )
