"""The table of person boxes: counts, reasons and AP."""

import math

from tests.helpers.sample_results import box_row
from transpose.reporting.box_table import box_table
from transpose.reporting.sections import DASH, box_sections


def test_numbers_stay_numbers() -> None:
    detections, annotated = box_table([box_row(), box_row(None)]).to_dict(orient="records")
    assert (detections["count"], detections["dropped"], detections["box_AP"]) == (104_125, 1007, 56.25)
    assert detections["reasons"] == "7 other categories, 1000 unknown images"
    assert (annotated["count"], annotated["dropped"]) == (6352, 11_004 - 6352)
    assert annotated["reasons"] == "227 crowds, 4424 without keypoints, 1 outside of the image"
    assert math.isnan(annotated["box_AP"])


def test_without_labelled_persons_there_is_no_ap() -> None:
    (line,) = box_table([box_row(-1.0)]).to_dict(orient="records")
    assert math.isnan(line["box_AP"])


def test_a_section_shows_them() -> None:
    (section,) = box_sections(box_table([box_row(), box_row(None), box_row(0.25, kind="detector")]))
    first, second, third = (dict(zip(section.columns, row, strict=True)) for row in section.rows)
    assert (first["Data set"], first["Source"], first["Count"]) == ("COCO, val", "detector boxes", "104,125")
    assert (first["Dropped"], first["Box AP"], first["Images without"]) == ("1,007", "56.2", "12")
    assert (second["Count"], second["Box AP"]) == ("6,352", DASH)
    assert (third["Source"], third["Box AP"]) == ("boxes of a detector run by this workflow", "25.0")


def test_no_boxes_are_no_section() -> None:
    assert box_sections(box_table([])) == []
