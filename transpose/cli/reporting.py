"""Verbs that plan, compare and track."""

from pathlib import Path
from typing import Annotated

import typer

from transpose.cli.app import app
from transpose.cli.options import Output, ResultsFolder, StudyFile, StudyName


@app.command()
def plan(
    study: Annotated[Path, typer.Argument(help="A study's YAML file.")],
    config: Annotated[Path, typer.Option(help="Folder of variants, data sets and downloads.")] = Path("config"),
) -> None:
    """Estimate GPU hours, GPU memory and disk of a study; nothing is run."""
    from transpose.config.base import read_yaml
    from transpose.reporting.plan_text import render_plan
    from transpose.workflow.plan import Plan

    print(render_plan(Plan.of_config(read_yaml(study), config, str(study)), config / "downloads.yaml"))


@app.command()
def compare(
    study: StudyFile,
    published: Annotated[Path, typer.Option(help="The paper's figures.")],
) -> None:
    """Write the comparison and ablation tables and the figures of a study."""
    from transpose.config.load import read_record
    from transpose.config.study import Study
    from transpose.reporting.study import write_study

    write_study(read_record(Study, study), published)


@app.command()
def compare_protocols(study: StudyFile) -> None:
    """Write the table of a study's protocol ablation."""
    from transpose.config.load import read_record
    from transpose.config.study import Study
    from transpose.reporting.protocol_ablation import write_protocol_table

    write_protocol_table(read_record(Study, study))


@app.command()
def compare_resolutions(study: StudyFile) -> None:
    """Write the table and the figures of a study's other input sizes."""
    from transpose.config.load import read_record
    from transpose.config.study import Study
    from transpose.reporting.resolutions import write_resolution_tables

    write_resolution_tables(read_record(Study, study))


@app.command()
def compare_precisions(study: StudyFile) -> None:
    """Write the table of what a study's cheaper arithmetic changes."""
    from transpose.config.load import read_record
    from transpose.config.study import Study
    from transpose.reporting.precision import write_precision_table

    write_precision_table(read_record(Study, study))


@app.command()
def track_database(results: ResultsFolder, output: Output) -> None:
    """Create the MLflow database of a results folder."""
    from transpose.files import write_json
    from transpose.tracking import initialise_database, tracking_uri

    uri = tracking_uri(results)
    initialise_database(uri)
    write_json(output, {"tracking_uri": uri})


@app.command()
def track(
    results: ResultsFolder,
    study: StudyName,
    variant: Annotated[str, typer.Option()],
    seed: Annotated[int, typer.Option(min=0)],
    output: Output,
) -> None:
    """Bring MLflow level with the files of one training, whose checkpoints go; what it holds is not logged again."""
    from transpose.files import write_json
    from transpose.tracking import track_run, tracking_uri
    from transpose.training.checkpoint_files import remove_checkpoints_of

    write_json(output, track_run(results, study, variant, seed, tracking_uri(results)))
    # The training cannot do so itself: Snakemake deletes the outputs of a job whose good end it has not noted, of one
    # that outlived it, and of one that seems older than its inputs.
    remove_checkpoints_of(results / "train" / variant / f"seed{seed}" / "run.json")


@app.command()
def track_study(results: ResultsFolder, study: StudyName, output: Output) -> None:
    """Store the comparison's tables and figures in MLflow."""
    from transpose.files import write_json
    from transpose.tracking import track_study as store
    from transpose.tracking import tracking_uri

    write_json(output, store(results, study, tracking_uri(results)))


@app.command()
def summary(results: ResultsFolder = Path("results")) -> None:
    """Print the comparison and where everything else is."""
    from transpose.reporting.summary import render_summary

    print(render_summary(results))
