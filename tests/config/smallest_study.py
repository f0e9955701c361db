"""The keys that every study has to have, for tests that change some of them."""

STUDY = {
    "name": "s",
    "variants": ["a", "b"],
    "train": {"dataset": "d", "split": "train"},
    "validation": {"dataset": "d", "split": "val"},
    "evaluations": [{"dataset": "d", "split": "val", "boxes": ["ground_truth"]}],
}
