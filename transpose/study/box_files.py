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
        """Return the input of the boxes of a source, if any: a detection file or a detector's model.

        For a URL it is the download path, and for a listed file the record of its digest, which the download writes.

        Args:
            must_exist: refuse a missing file; otherwise leave it out, for dry runs.

        Raises:
            InputError: the file of the source is missing.
        """
        dataset = self.datasets[wildcards.dataset]
        file = box_file(dataset.boxes[wildcards.boxes], wildcards.split)
        if file is None:
            return []
        if file.listed_as:
            return [file.digest_record]
        path = file.local_path(self.resources.downloaded_files)
        if not file.is_remote and not path.is_file():
            if not must_exist:
                return []
            raise absent_box_file(path, dataset, wildcards.split, wildcards.boxes)
        return [str(path)]

    def file_option(self, wildcards: BoxWildcards) -> list[str]:
        """Return the option with the local path of a box source's file, if it has one."""
        file = box_file(self.datasets[wildcards.dataset].boxes[wildcards.boxes], wildcards.split)
        return [f"--file={file.local_path(self.resources.downloaded_files)}"] if file else []

    def listed_files(self) -> dict[str, str]:
        """Return the listed files of the study: path -> name in the table of downloads."""
        return {file.address: file.listed_as for file in self._files() if file.listed_as}

    def remote_file(self, path: str) -> BoxFile:
        """Return the remote file that is downloaded to a path.

        Raises:
            InputError: no box source of the study needs it.
        """
        for file in self._files():
            if file.is_remote and str(file.local_path(self.resources.downloaded_files)) == path:
                return file
        raise InputError("no box source of the study is downloaded to this path", file=path)

    def _files(self) -> list[BoxFile]:
        """Return the files of all box sources of the study."""
        used = (*self.study.evaluations, *self.study.submissions)
        found = [box_file(self.datasets[e.dataset].boxes[boxes], e.split) for e in used for boxes in e.boxes]
        return [file for file in found if file is not None]

    def threads(self, wildcards: BoxWildcards) -> int:
        """CPU threads for making boxes."""
        source = self.datasets[wildcards.dataset].boxes[wildcards.boxes]
        return source.threads if isinstance(source, DetectorBoxes) else 1

    def reads_images(self, wildcards: BoxWildcards) -> bool:
        """Whether a box source needs the images: it runs a detector."""
        return isinstance(self.datasets[wildcards.dataset].boxes[wildcards.boxes], DetectorBoxes)

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
