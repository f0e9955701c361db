"""Write the tables of a study by name."""

from pathlib import Path

from transpose.config.study import Analysis, StudyTable
from transpose.errors import InputError
from transpose.reporting.study_files import StudyFiles


def write_table(table: str, files: StudyFiles, published: Path) -> None:
    """Write one table with its figures into the study's results folder; only its own module is imported.

    Args:
        table: a `StudyTable` or an `Analysis`.
        published: file of the published results, for the comparison.

    Raises:
        InputError: the study does not include the table, or an input file is missing, broken or has other inputs.
    """
    match table:
        case StudyTable.COMPARISON:
            from transpose.reporting.study import write_study

            write_study(files, published)
        case StudyTable.CLAIMS:
            from transpose.reporting.claim_table import write_claims

            write_claims(files)
        case Analysis.PROTOCOLS:
            from transpose.reporting.protocol_ablation import write_protocol_table

            write_protocol_table(files)
        case Analysis.RESOLUTIONS:
            from transpose.reporting.resolutions import write_resolution_tables

            write_resolution_tables(files)
        case Analysis.DTYPES:
            from transpose.reporting.dtypes import write_dtype_table

            write_dtype_table(files)
        case Analysis.ATTENTION_STATISTICS:
            from transpose.reporting.attention_statistics import write_statistics_tables

            write_statistics_tables(files)
        case Analysis.FAITHFULNESS:
            from transpose.reporting.faithfulness import write_faithfulness_tables

            write_faithfulness_tables(files)
        case Analysis.ATTENTION_ABLATION:
            from transpose.reporting.attention_ablation import write_attention_ablation_table

            write_attention_ablation_table(files)
        case Analysis.BODY_PARTS:
            from transpose.reporting.body_parts import write_body_part_table

            write_body_part_table(files)
        case _:
            known = ", ".join((StudyTable.COMPARISON, StudyTable.CLAIMS, *Analysis))
            raise InputError(f"no such table; choose one of {known}", file="table", record=table)
