"""What most steps import, for copies of the server. Only speed depends on this list.

Not MLflow and pandas: they start threads, which a copy would lack.
"""

import cv2  # noqa: F401
import matplotlib.figure  # noqa: F401
import pycocotools.cocoeval  # noqa: F401
import scipy.stats  # noqa: F401
import torch  # noqa: F401

import transpose.attention.body_part_report
import transpose.cli
import transpose.evaluation.prediction_file
import transpose.evaluation.report
import transpose.reporting.study_errors  # noqa: F401
