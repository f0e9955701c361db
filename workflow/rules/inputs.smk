# Functions that find the inputs of jobs.
from transpose.config.download import load_archive

DOWNLOADS = "config/tables/downloads.yaml"


def archive_mb(wildcards):
    archive = load_archive(wildcards.archive, Path(DOWNLOADS))
    return download_mb(archive, PLAN.study.forecast.unpacked_ratio)


def external_results(wildcards):
    return PLAN.study.external_of(wildcards.external).results


def external_annotations(wildcards):
    return PLAN.data.split_annotations(PLAN.study.external_of(wildcards.external))


def external_boxes(wildcards):
    return PLAN.evaluation.external_boxes(wildcards.external)


def browsed_setting(wildcards):
    return PLAN.evaluation.browsed_settings()[wildcards.dataset, wildcards.split]


def browsed_predictions(wildcards):
    return PLAN.evaluation.browsed_predictions(wildcards.dataset, wildcards.split)


def browsed_boxes(wildcards):
    return LAYOUT.boxes(browsed_setting(wildcards))


def content_with_arrays(**files):
    """Return the content of files, and of the arrays next to them, by name."""
    return CONTENT.of(
        **{
            name: lambda wildcards, paths=paths: [
                *paths,
                *(path.with_suffix(".npz") for path in paths),
            ]
            for name, paths in files.items()
        }
    )


def content_of_reports(analysis):
    return content_with_arrays(reports=PLAN.evaluation.reports(analysis))
