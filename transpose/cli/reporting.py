"""Commands that plan a study, write its tables and log it to MLflow."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from transpose.cli.app import STUDY, app, step
from transpose.cli.options import ResultsFolder, RunName
from transpose.config.training import DeviceChoice


@app.command(rich_help_panel=STUDY, epilog="Example: transpose plan config/studies/paper.yaml")
def plan(
    study: Annotated[Path, typer.Argument(help="A study's YAML file.")],
    config: Annotated[Path, typer.Option(help="Folder of variants, data sets and downloads.")] = Path("config"),
    device: Annotated[
        DeviceChoice | None,
        typer.Option(help="cpu measures this machine; default: the study's device."),
    ] = None,
) -> None:
    """Forecast time, memory and disk of a whole study, on a GPU or this machine's CPU."""
    from transpose.config.base import read_yaml
    from transpose.forecast.jobs import Jobs
    from transpose.forecast.network import MODULE, Networks
    from transpose.provenance import PackageCode
    from transpose.reporting.plan_text import render_plan
    from transpose.study.plan import Plan

    chosen = Plan.of_config(read_yaml(study), config, str(study))
    networks = Networks.of_study(chosen, PackageCode().digest(MODULE), device)
    subject = f"the whole study {chosen.study.name!r}, finished or not"
    print(render_plan(chosen, Jobs.of_study(chosen), networks, config / "tables" / "downloads.yaml", subject))


@step.command()
def compare(
    table: Annotated[str, typer.Argument(help="comparison, claims or the name of an analysis.")],
    results: ResultsFolder,
    published: Annotated[Path, typer.Option(help="Published figures.")] = Path("config/tables/published.yaml"),
) -> None:
    """Write a table of the study, with its figures.

    Writes TABLE.csv, .md, .html and .tex into the results folder.
    """
    from transpose.reporting.study_files import StudyFiles
    from transpose.reporting.write_table import write_table
    from transpose.study.layout import ResultsLayout

    write_table(table, StudyFiles.read(ResultsLayout(results)), published)


@step.command()
def report(results: ResultsFolder) -> None:
    """Write the report of a study as HTML pages.

    Reads its tables, figures, attention maps and records.
    """
    from transpose.reporting.study_files import StudyFiles
    from transpose.reporting.study_page.write import write_report
    from transpose.study.layout import ResultsLayout

    write_report(StudyFiles.read(ResultsLayout(results)))


@step.command()
def track_database(results: ResultsFolder) -> None:
    """Create the MLflow database, or connect to the server."""
    from transpose.errors import InputError, without_logins
    from transpose.files import write_json
    from transpose.study.destination import TrackingDestination
    from transpose.study.layout import ResultsLayout
    from transpose.tracking import initialise_database

    layout = ResultsLayout(results)
    destination = TrackingDestination.of_results(layout)
    uri = destination.uri(results)
    try:
        initialise_database(uri)
    except InputError as error:
        if destination.store is None:
            raise
        # Trainings need no server.
        print(f"transpose: {error}; trainings start without it", file=sys.stderr)
    write_json(layout.tracking_database(), {"tracking_uri": without_logins(uri).replace("...@", "")})


@step.command()
def track(run: RunName, results: ResultsFolder) -> None:
    """Log a finished training to MLflow.

    Logs what MLflow does not have yet, then deletes the training's resume checkpoint.
    """
    from transpose.files import write_json
    from transpose.study.destination import TrackingDestination
    from transpose.study.layout import ResultsLayout, RunId
    from transpose.tracking import track_run
    from transpose.training.checkpoint import remove_checkpoints_of

    layout, chosen = ResultsLayout(results), RunId.parse(run)
    write_json(layout.tracked_run(chosen), track_run(layout, TrackingDestination.of_results(layout), chosen))
    # The training cannot do so itself: Snakemake deletes the outputs of a job whose good end it has not noted, of one
    # that outlived it, and of one that seems older than its inputs.
    remove_checkpoints_of(layout.train(chosen).record)


@step.command()
def track_study(results: ResultsFolder) -> None:
    """Log a study's tables and figures to MLflow."""
    from transpose.files import write_json
    from transpose.study.destination import TrackingDestination
    from transpose.study.layout import ResultsLayout
    from transpose.tracking import track_study as store

    layout = ResultsLayout(results)
    write_json(layout.tracked_study(), store(layout, TrackingDestination.of_results(layout)))


@app.command(rich_help_panel=STUDY, epilog="Example: transpose summary --results results")
def summary(results: ResultsFolder = Path("results")) -> None:
    """Print the main table, what was found, and where to read more."""
    from shutil import get_terminal_size

    from transpose.reporting.summary import render_summary

    print(render_summary(results, min(get_terminal_size().columns, 120)))
