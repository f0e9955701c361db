"""Write the report of a study into its results folder."""

from collections.abc import Sequence

from transpose.files import atomic_folder, write_text
from transpose.reporting.page_parts import page_environment, shared_style, template_source
from transpose.reporting.study_files import StudyFiles
from transpose.reporting.study_page.ablations import ablation_part
from transpose.reporting.study_page.analyses import dtype_part, protocol_part, resolution_part
from transpose.reporting.study_page.blocks import Link, Page, Paragraph, Part
from transpose.reporting.study_page.charts import cost_part, training_part
from transpose.reporting.study_page.comparison import comparison_parts
from transpose.reporting.study_page.data import data_page
from transpose.reporting.study_page.errors import errors_page, errors_part
from transpose.reporting.study_page.findings import findings_page, findings_part
from transpose.reporting.study_page.persons import persons_page, persons_part
from transpose.reporting.study_page.place import Place
from transpose.reporting.study_page.provenance import provenance_page

_CONTENTS = {
    "data.html": "Splits with what the check of the data found, and sources of person boxes:",
    "provenance.html": "Files, digests, code and machine behind each number:",
}
_PAGE = "reporting/study_page/templates/page.html"
_BLOCKS = "reporting/study_page/templates/blocks.html"
_STYLE = "reporting/study_page/templates/page.css"
_SCRIPT = "reporting/study_page/templates/page.js"


def write_report(files: StudyFiles) -> None:
    """Write the pages of a study's report from its tables, figures and records, and the images of persons.

    Raises:
        InputError: a file of the study is missing or broken.
    """
    place = Place(files)
    with atomic_folder(files.layout.report_persons) as images:
        persons = persons_page(place, images)
    others = [errors_page(place), findings_page(place), persons, data_page(place), provenance_page(place)]
    index = _index(place, persons, others)
    pages = [index, *others]
    environment = page_environment()
    environment.globals["blocks"] = _BLOCKS
    template = environment.get_template(_PAGE)
    shared = {
        "study": files.study.name,
        "pages": pages,
        "style": shared_style() + template_source(environment, _STYLE),
        "script": template_source(environment, _SCRIPT),
    }
    for page in reversed(pages):
        write_text(files.layout.report(page.file), template.render(page=page, **shared))


def _index(place: Place, persons: Page, others: Sequence[Page]) -> Page:
    further = Part(
        "Data and provenance",
        [Paragraph(_CONTENTS[page.file], [Link(page.title, page.file)]) for page in others if page.file in _CONTENTS],
        "more",
    )
    parts = [
        *comparison_parts(place),
        ablation_part(place),
        errors_part(place),
        protocol_part(place),
        resolution_part(place),
        dtype_part(place),
        cost_part(place),
        training_part(place),
        findings_part(place),
        persons_part(place, persons),
        further,
    ]
    study = place.files.study
    seeds = "one training each" if study.seeds == 1 else f"{study.seeds} trainings each"
    return Page("index.html", f"Study {study.name}", f"{len(study.variants)} models, {seeds}.", parts)
