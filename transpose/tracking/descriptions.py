"""Descriptions of the experiment, its runs and models, as MLflow shows them."""

from transpose.tracking.record import TrackedRun

STUDY = """\
The study's tables, figures and report: `comparison.csv` compares the variants, `ablations.md` answers the study's
questions, `figures/` has the training curves. The runs under this one are its trainings. Each `AP` here is that of the
best variant, the mean over its seeds.
"""


def of_experiment(identifier: str) -> str:
    """Return what runs and metrics are, with a link to the charts.

    MLflow shows no charts of runs under a closed one, which they are unless the list is sorted by something else than
    time.
    """
    by_name = "orderByKey=tags.%60mlflow.runName%60&orderByAsc=true"
    charts = f"#/experiments/{identifier}/runs?compareRunsMode=CHART&{by_name}"
    return f"""\
[Charts of all trainings]({charts}). Each run with runs under it is a study, with its tables, figures and report as
artifacts; each of the others is the training of a variant with a seed.

- `AP_DATASET_SPLIT_BOXES` (`PCKh50_...` on MPII): accuracy of the best weights with one source of person boxes.
- `training/loss`, `training/learning_rate`, `training/validation_AP`: by epoch.
- `system/...`: load of the machine during the training.

All other numbers are artifacts: `evaluations.json`, `keypoints.json` and the files under `metrics/`, `training/` and
`cost/`. Runs with the tag `superseded` were replaced by a later training.
"""


def of_training(record: TrackedRun) -> str:
    """Return which epoch a training's weights are of."""
    title = f"{record.recipe.variant.title}, seed {record.seed}."
    if record.best is None:
        return title
    epoch, accuracy = record.best
    return f"{title} The weights are of epoch {epoch}, where the validation has {accuracy:.4f}."


def of_model(record: TrackedRun) -> str:
    """Return what the model takes and returns."""
    return (
        f"{record.recipe.variant.title}, trained with seed {record.seed}. Takes images (the bytes of a file, their"
        " Base64, or a path) with optional person boxes x, y, width, height in pixels, and returns for each box the"
        " keypoints by name with x, y in image pixels and a score. Without boxes, the whole image is one."
    )
