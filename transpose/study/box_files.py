"""Input files of person boxes, and reports on the boxes."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from transpose.config.box_files import BoxFile, absent_box_file, box_file
from transpose.config.dataset import Dataset, DetectorBoxes
from transpose.config.study import Study
from transpose.errors import InputError
from transpose.study.layout import ResourcesLayout, ResultsLayout
from transpose.study.rules import BoxWildcards


@dataclass(frozen=True)
class BoxFiles:
    """Files of a study's box sources."""

    study: Study
    datasets: Mapping[str, Dataset]
    layout: ResultsLayout
    resources: ResourcesLayout

    def file(self, wildcards: BoxWildcards, must_exist: bool = True) -> list[str]:
        """Return the detection file or detector model of a box source, if any; for a URL, the download path.

        Args:
            must_exist: refuse a missing file; otherwise leave it out, for dry runs.

        Raises:
            InputError: the file of the source is missing.
        """
        dataset = self.datasets[wildcards.dataset]
        file = box_file(dataset.boxes[wildcards.boxes], wildcards.split)
        if file is None:
            return []
        path = file.local_path(self.resources.downloaded_files)
        if not file.is_remote and not path.is_file():
            if not must_exist:
                return []
            raise absent_box_file(path, dataset, wildcards.split, wildcards.boxes)
        return [str(path)]

    def remote_file(self, path: str) -> BoxFile:
        """Return the remote file that is downloaded to a path.

        Raises:
            InputError: no box source of the study needs it.
        """
        used = (*self.study.evaluations, *self.study.submissions)
        for dataset, split, boxes in ((e.dataset, e.split, boxes) for e in used for boxes in e.boxes):
            file = box_file(self.datasets[dataset].boxes[boxes], split)
            if file is not None and file.is_remote and str(file.local_path(self.resources.downloaded_files)) == path:
                return file
        raise InputError(path, None, None, "no box source of the study is downloaded to this path")

    def threads(self, wildcards: BoxWildcards) -> int:
        """CPU threads for making boxes."""
        source = self.datasets[wildcards.dataset].boxes[wildcards.boxes]
        return source.threads if isinstance(source, DetectorBoxes) else 1

    def counts(self) -> list[Path]:
        """Counts of the person boxes of all evaluations."""
        return [self.layout.box_counts(setting) for setting in self.study.settings()]

    def metrics(self) -> list[Path]:
        """AP of the person boxes of all evaluations; annotated boxes have none."""
        return [
            self.layout.box_metrics(setting)
            for setting in self.study.settings()
            if self.datasets[setting.dataset].boxes[setting.boxes].kind != "ground_truth"
        ]
