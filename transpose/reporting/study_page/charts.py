"""Figures of the comparison: accuracy by keypoint, accuracy against cost, and training curves."""

from transpose.config.study import Analysis
from transpose.reporting.labels import setting_words
from transpose.reporting.study_page.blocks import Block, Figure, Part
from transpose.reporting.study_page.place import Place


def keypoint_part(place: Place) -> Part:
    """Return accuracy by keypoint."""
    caption = "Accuracy of each keypoint, mean over seeds, without intervals: {}."
    return Part("Accuracy by keypoint", _per_evaluation(place, "keypoints", caption), "keypoints")


def cost_part(place: Place) -> Part:
    """Return accuracy against operations and parameters."""
    caption = (
        "Accuracy against cost: {}. Bars are 95 % intervals over images and, with several seeds, trainings. Models of"
        " nearly equal cost are drawn next to each other."
    )
    return Part("Accuracy against cost", _per_evaluation(place, "accuracy", caption), "cost")


def training_part(place: Place) -> Part:
    """Return loss and validation accuracy by epoch."""
    caption = "Loss on the training data, and accuracy on the validation data, by epoch. One line per training."
    return Part("Training", [place.chart(place.files.layout.figure("training"), caption)], "training")


def attention_charts(place: Place) -> list[Figure]:
    """Return the figures of the attention analyses: faithfulness curves and attention between keypoints."""
    layout, analyses = place.files.layout, place.files.study.analyses()
    figures = []
    if Analysis.FAITHFULNESS in analyses:
        text = (
            "Keypoint similarity when a share of the cells is masked (deletion) or kept (insertion), by the order of"
            " masking. The band is the 95 % interval of attention."
        )
        settings = analyses[Analysis.FAITHFULNESS].settings()
        figures += [place.chart(layout.figure(Analysis.FAITHFULNESS, *setting), text) for setting in settings]
    if Analysis.ATTENTION_STATISTICS in analyses:
        chosen = analyses[Analysis.ATTENTION_STATISTICS]
        text = "Attention between keypoints, last layer, mean over heads, in multiples of uniform attention: {}."
        figures += [
            place.chart(
                layout.figure("keypoint_attention", *setting, name),
                text.format(place.files.recipes[name].variant.title),
            )
            for setting in chosen.settings()
            for name in chosen.variants
        ]
    return figures


def _per_evaluation(place: Place, kind: str, caption: str) -> list[Block]:
    """Return a figure per evaluated split, of its first box source."""
    settings = [evaluation.settings()[0] for evaluation in place.files.study.evaluations]
    titles = {name: dataset.title for name, dataset in place.files.datasets.items()}
    return [
        place.chart(
            place.files.layout.figure(kind, *setting),
            caption.format(setting_words(titles[setting.dataset], setting.split, setting.boxes)),
        )
        for setting in settings
    ]
