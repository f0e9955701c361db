"""Verbs that evaluate trained variants."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from transpose.cli.app import app
from transpose.cli.options import (
    AnnotationFile,
    BoxFile,
    DatasetFile,
    Output,
    ProtocolFile,
    RecipeFile,
    RunFile,
    WeightsFile,
    Workers,
)


@app.command()
def predict(
    recipe: RecipeFile,
    protocol: ProtocolFile,
    dataset: DatasetFile,
    annotations: AnnotationFile,
    weights: WeightsFile,
    boxes: BoxFile,
    output: Output,
    workers: Workers = None,
) -> None:
    """Predict the persons in boxes; writes COCO keypoint results."""
    from transpose.config.dataset import Dataset
    from transpose.config.load import read_record
    from transpose.config.recipe import Recipe
    from transpose.config.study import Protocol
    from transpose.evaluation.pipeline import predict_file

    settings = read_record(Dataset, dataset)
    predict_file(
        read_record(Recipe, recipe).loading_with(workers),
        weights,
        settings.skeleton,
        annotations,
        boxes,
        read_record(Protocol, protocol),
        output,
        suppress=settings.evaluation == "oks",
    )


@app.command()
def evaluate(
    protocol: ProtocolFile,
    dataset: DatasetFile,
    annotations: AnnotationFile,
    run: RunFile,
    boxes: Annotated[Path, typer.Option(help="Person boxes that were predicted on.")],
    predictions: Annotated[Path, typer.Option(help="COCO keypoint results.")],
    bootstrap: Annotated[int, typer.Option(min=1, help="Resamples over pictures.")],
    bootstrap_seed: Annotated[int, typer.Option(min=0)],
    output: Output,
) -> None:
    """Evaluate predictions by COCO OKS, judged by pycocotools, or by PCKh, with a bootstrap interval."""
    from transpose.config.dataset import Dataset
    from transpose.config.load import read_record
    from transpose.config.study import Protocol
    from transpose.evaluation.report import Bootstrap, write_metrics

    write_metrics(
        read_record(Dataset, dataset),
        annotations,
        run,
        read_record(Protocol, protocol),
        boxes,
        predictions,
        Bootstrap(samples=bootstrap, seed=bootstrap_seed),
        output,
    )


@app.command()
def ablate_protocol(
    recipe: RecipeFile,
    protocol: ProtocolFile,
    dataset: DatasetFile,
    annotations: AnnotationFile,
    run: RunFile,
    boxes: BoxFile,
    output: Output,
    workers: Workers = None,
) -> None:
    """Evaluate a trained variant by every combination of flip test, decoder, suppression and score."""
    from transpose.config.dataset import Dataset
    from transpose.config.load import read_record
    from transpose.config.recipe import Recipe
    from transpose.config.study import Protocol
    from transpose.evaluation.protocol_ablation import write_protocol_ablation

    write_protocol_ablation(
        read_record(Recipe, recipe).loading_with(workers),
        run,
        read_record(Dataset, dataset),
        annotations,
        boxes,
        read_record(Protocol, protocol),
        output,
    )


@app.command()
def generalise(
    recipe: RecipeFile,
    protocol: ProtocolFile,
    dataset: DatasetFile,
    annotations: AnnotationFile,
    run: RunFile,
    boxes: BoxFile,
    settings: Annotated[Path, typer.Option(help="Resolved input sizes.")],
    bootstrap: Annotated[int, typer.Option(min=1, help="Resamples over pictures.")],
    bootstrap_seed: Annotated[int, typer.Option(min=0)],
    output: Annotated[Path, typer.Option("--output", help="Folder to make.")],
    workers: Workers = None,
) -> None:
    """Evaluate a trained variant at input sizes that it was not trained at."""
    from transpose.config.dataset import Dataset
    from transpose.config.load import read_record
    from transpose.config.recipe import Recipe
    from transpose.config.resolution import InputSizes
    from transpose.config.study import Protocol
    from transpose.evaluation.generalise import write_resolutions
    from transpose.evaluation.report import Bootstrap

    write_resolutions(
        read_record(Recipe, recipe).loading_with(workers),
        run,
        read_record(Dataset, dataset),
        annotations,
        boxes,
        read_record(Protocol, protocol),
        read_record(InputSizes, settings),
        Bootstrap(samples=bootstrap, seed=bootstrap_seed),
        output,
    )


@app.command()
def measure_precision(
    recipe: RecipeFile,
    protocol: ProtocolFile,
    dataset: DatasetFile,
    annotations: AnnotationFile,
    run: RunFile,
    boxes: BoxFile,
    settings: Annotated[Path, typer.Option(help="Resolved precisions.")],
    bootstrap: Annotated[int, typer.Option(min=1, help="Resamples over pictures.")],
    bootstrap_seed: Annotated[int, typer.Option(min=0)],
    output: Output,
    workers: Workers = None,
) -> None:
    """Predict with a trained variant in cheaper arithmetic, and compare AP and keypoints with fp32."""
    from transpose.config.dataset import Dataset
    from transpose.config.load import read_record
    from transpose.config.precision import Precisions
    from transpose.config.recipe import Recipe
    from transpose.config.study import Protocol
    from transpose.evaluation.precision import write_precisions
    from transpose.evaluation.report import Bootstrap

    write_precisions(
        read_record(Recipe, recipe).loading_with(workers),
        run,
        read_record(Dataset, dataset),
        annotations,
        boxes,
        read_record(Protocol, protocol),
        read_record(Precisions, settings),
        Bootstrap(samples=bootstrap, seed=bootstrap_seed),
        output,
    )


@app.command()
def submit(
    dataset: DatasetFile,
    annotations: AnnotationFile,
    predictions: Annotated[Path, typer.Option(help="COCO keypoint results on a test set.")],
    output: Annotated[Path, typer.Option("--output", help="Zip archive, named as the server asks.")],
) -> None:
    """Pack predictions as COCO's evaluation server takes them."""
    from transpose.config.dataset import Dataset
    from transpose.config.load import read_record
    from transpose.evaluation.submission import write_submission

    persons = write_submission(predictions, annotations, read_record(Dataset, dataset).skeleton, output)
    print(f"{output}: {persons:,} persons", file=sys.stderr)
