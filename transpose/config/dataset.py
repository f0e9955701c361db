"""Data sets: images, annotations and person boxes."""

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    StringConstraints,
    model_validator,
)

from transpose.config.base import Name, PathText, Settings, Size
from transpose.config.download import Address, Sha256
from transpose.config.training import Probability
from transpose.keypoint_names import unpaired
from transpose.skeleton import COCO_PERSON, Skeleton


def _expanded(path: str) -> str:
    return os.path.normpath(Path(os.path.expandvars(path)).expanduser())


FolderText = Annotated[PathText, AfterValidator(_expanded)]
"""A folder of the user's, in any common spelling."""


CategoryChoice = int | str | list[int | str] | None
"""Names or ids of the annotated categories to read; None to find them."""


class GroundTruthBoxes(Settings):
    """The annotated boxes."""

    kind: Literal["ground_truth"]


class DetectionBoxes(Settings):
    """A detector's boxes, in a COCO-format detection file."""

    kind: Literal["detections"]
    files: dict[Name, Address] = Field(description="Path or URL of the detection file for each split.")
    sha256: dict[Name, Sha256] = Field(default={}, description="Required digest of the file, by split.")
    listed_as: dict[Name, Name] = Field(
        default={},
        description="By split, the name in config/tables/downloads.yaml of the file, which is downloaded to its path.",
    )
    category: CategoryChoice = Field(
        default=None, description="Ids or names of persons in the files; default: those of the annotations."
    )

    @model_validator(mode="after")
    def _lists_paths(self) -> "DetectionBoxes":
        for split in self.listed_as:
            if "://" in self.files.get(split, "://"):
                raise ValueError(f"listed_as is for files with a path, and split {split} has none")
        return self


class DetectorBoxes(Settings):
    """Boxes from a person detector: an ONNX model of a published form."""

    kind: Literal["detector"]
    model: Address = Field(description="Path or URL of the .onnx file, or of a .zip that contains one.")
    sha256: Sha256 | None = Field(default=None, description="Required digest of the model.")
    input_size: Size = (640, 640)
    score_threshold: Probability = Field(default=0.01, description="Boxes with a lower score are dropped.")
    nms_threshold: Probability = Field(
        default=0.65, description="IoU above which the box with the lower score is dropped."
    )
    threads: PositiveInt = Field(default=1, description="CPU threads of the detector.")


class SimulatedBoxes(Settings):
    """Ground-truth boxes with simulated detector errors; every table marks them as simulated."""

    kind: Literal["simulated"]
    seed: NonNegativeInt = 0
    centre_jitter: NonNegativeFloat = Field(
        default=0.05, description="Standard deviation of the centre's shift, relative to the box's sides."
    )
    size_jitter: NonNegativeFloat = Field(
        default=0.08, description="Standard deviation of the logarithm of each side's factor."
    )
    miss_probability: Probability = Field(default=0.06, description="Chance that a person gets no box.")
    duplicate_probability: Probability = Field(default=0.08, description="Chance of a second, worse box for a person.")
    false_positives: NonNegativeFloat = Field(
        default=0.3, description="Mean number of boxes per image without a person."
    )
    true_score_mean: Probability = Field(default=0.85, description="Mean score of a box with a person.")
    false_score_mean: Probability = Field(default=0.25, description="Mean score of a false positive.")
    score_concentration: PositiveFloat = Field(
        default=8.0, description="Sum of the two parameters of the scores' beta distributions."
    )


Side = Annotated[int, Field(ge=32, le=2048)]

BoxSource = Annotated[GroundTruthBoxes | DetectionBoxes | DetectorBoxes | SimulatedBoxes, Field(discriminator="kind")]

BoxKind = Literal["ground_truth", "detections", "detector", "simulated"]
"""The kinds of `BoxSource`."""


class SyntheticSource(Settings):
    """People rendered from a body model: number and size of images, and shares of each kind of framing."""

    kind: Literal["synthetic"] = "synthetic"
    seed: NonNegativeInt = Field(default=0, description="Seed of all images; splits never share a random stream.")
    images: dict[Name, PositiveInt] = Field(description="Images of each split.")
    image_size: tuple[Side, Side] = Field(default=(240, 320), description="Height and width of the images in pixels.")
    antialias: int = Field(default=2, ge=1, le=4, description="Rendering grid points per pixel along each axis.")
    people: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(le=12)]] = Field(
        default=(1, 5), description="Minimum and maximum number of people in an image, without crowds."
    )
    bust_share: Probability = Field(default=0.20, description="Share of images of head and shoulders or half bodies.")
    truncated_share: Probability = Field(default=0.18, description="Share of images whose border cuts people.")
    small_share: Probability = Field(default=0.05, description="Share of images with very small people.")
    crowd_share: Probability = Field(default=0.03, description="Share of images with an unlabelled crowd.")
    occluder_probability: Probability = Field(default=0.35, description="Chance of an object in front of a person.")
    style: Literal["plain", "varied"] = Field(
        default="plain",
        description="varied adds clutter and photographs behind and in front of people, closer views, hands near"
        " face or chest, texture, glasses, and effects of light and camera.",
    )
    smallest_labelled_area: NonNegativeFloat = Field(
        default=32.0**2,
        description="Smallest mask, in pixels, of a person with labelled keypoints, as in COCO.",
    )

    @model_validator(mode="after")
    def _is_possible(self) -> "SyntheticSource":
        if self.people[0] > self.people[1]:
            raise ValueError("people must be [minimum, maximum]")
        if self.bust_share + self.truncated_share + self.small_share + self.crowd_share > 1 + 1e-9:
            raise ValueError("bust_share, truncated_share, small_share and crowd_share add up to more than 1")
        return self


class PhotographsSource(Settings):
    """The openly licensed COCO photographs that ship with the package; one split, never trained on."""

    kind: Literal["photographs"]


class FolderSource(Settings):
    """Existing folders with an annotation file and images, as labelling tools export them."""

    kind: Literal["folder"]
    folders: dict[Name, FolderText] = Field(description="Folder of each split; `~` and `$HOME` are expanded.")
    annotations: PathText = Field(default="annotations.json", description="Annotation file in each folder.")
    images: PathText = Field(
        default="images", description="Folder of the images in each folder; `.` if it is the same."
    )
    unreadable_images: Literal["refuse", "skip"] = Field(
        default="refuse",
        description="Stop at an unreadable image, or skip unreadable images and their people and report their number.",
    )


Orientation = Literal["as_displayed", "as_stored"]
"""Whether points are annotated in an image with its EXIF orientation applied, or in the image as stored."""

ArchiveMember = Annotated[str, StringConstraints(pattern=r"^[^/\\].*$")]


class ArchivedSplit(Settings):
    """Position of a split in downloaded archives, which are listed in config/tables/downloads.yaml."""

    annotations: Name = Field(description="Archive with the annotation file.")
    member: ArchiveMember = Field(description="The annotation file in that archive.")
    images: Name = Field(description="Archive with the images.")
    folder: ArchiveMember = Field(description="The images' folder in that archive.")
    test_set: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+$")] | None = Field(
        default=None, description="Name of the split on the evaluation server, for submissions."
    )


class ArchivesSource(Settings):
    """Archives to download, such as those of COCO."""

    kind: Literal["archives"]
    splits: dict[Name, ArchivedSplit]
    images: Literal["unpacked", "zip"] = Field(
        default="unpacked",
        description="Unpack the images, or read them from the archive, for file systems that are slow with many small"
        " files.",
    )


EvaluationMethod = Literal["oks", "pckh"]

Accuracy = Literal["AP", "PCKh50"]
"""The main metric of an evaluation."""


def accuracy_of(evaluation: EvaluationMethod) -> Accuracy:
    """Return the main metric, which tables compare and which chooses the best weights."""
    return "PCKh50" if evaluation == "pckh" else "AP"


class Dataset(Settings):
    """A data set with keypoint annotations in COCO format."""

    title: str
    source: Annotated[SyntheticSource | PhotographsSource | FolderSource | ArchivesSource, Field(discriminator="kind")]
    boxes: dict[Name, BoxSource] = Field(description="Sources of person boxes by name in tables.")
    benchmarks: dict[Name, Name] = Field(
        default={},
        description="Benchmark in config/tables/published.yaml of each split; only these splits are compared with"
        " published values.",
    )
    evaluation: EvaluationMethod = Field(
        default="oks",
        description="COCO's average precision (OKS), or MPII's PCKh, which needs annotated boxes"
        " and `head_size` in the annotations.",
    )
    skeleton: Skeleton = COCO_PERSON
    category: CategoryChoice = Field(
        default=None,
        description="Names or ids of the annotated categories in folders; default: those with keypoints.",
    )
    keypoint_fields: tuple[str, ...] = Field(
        default=("keypoints",),
        min_length=1,
        description="Fields of a person in folders whose points, one after the other, are the skeleton's keypoints.",
    )
    orientation: Orientation | None = Field(
        default=None,
        description="Whether annotations in folders refer to images as displayed (EXIF orientation applied) or as"
        " stored; default: what each annotated size says, else as stored.",
    )

    @property
    def splits(self) -> list[str]:
        """Names of the splits."""
        source = self.source
        if isinstance(source, PhotographsSource):
            return ["val"]
        if isinstance(source, FolderSource):
            return list(source.folders)
        return list(source.splits if isinstance(source, ArchivesSource) else source.images)

    def test_set(self, split: str) -> str | None:
        """Return the name of a split on the evaluation server; None if it has none."""
        return self.source.splits[split].test_set if isinstance(self.source, ArchivesSource) else None

    @model_validator(mode="after")
    def _reads_folders(self) -> "Dataset":
        is_default = self.category is None and self.orientation is None and self.keypoint_fields == ("keypoints",)
        if not isinstance(self.source, FolderSource) and not is_default:
            raise ValueError("category, keypoint_fields and orientation are for a source of kind: folder")
        return self

    @model_validator(mode="after")
    def _pairs_left_and_right(self) -> "Dataset":
        if missing := unpaired(self.skeleton.keypoints, self.skeleton.flip_pairs):
            pairs = ", ".join(f"[{left}, {right}]" for left, right in missing)
            raise ValueError(f"mirrored images would mix left and right keypoints; add {pairs} to skeleton.flip_pairs")
        return self

    @model_validator(mode="after")
    def _has_boxes_to_evaluate(self) -> "Dataset":
        if self.evaluation == "pckh":
            for name, boxes in self.boxes.items():
                if boxes.kind != "ground_truth":
                    raise ValueError(f"evaluation pckh needs annotated boxes, and the boxes {name!r} are not")
        return self
