"""Command that predicts poses in images and videos."""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from transpose.cli.app import USE, app
from transpose.cli.image_persons import note_whole_images, persons_in
from transpose.cli.options import Box, Boxes, Model
from transpose.config.runtime import RuntimeChoice
from transpose.config.training import DeviceChoice
from transpose.errors import InputError

if TYPE_CHECKING:
    from transpose.data.detector import PersonDetector
    from transpose.data.video import Video
    from transpose.inference.poses import Poses
    from transpose.inference.predictor import PosePredictor
    from transpose.reporting.predict_images import ImagePersons, ImagePoses
    from transpose.reporting.predict_video import VideoPersons

Inputs = Annotated[
    list[str],
    typer.Argument(
        metavar="INPUT...",
        help="Image files, folders, patterns, - for names on standard input; or one video file, or camera:0. EXIF"
        " orientation is applied.",
    ),
]
Detector = Annotated[
    Path | None,
    typer.Option("--detector", help="ONNX detector: YOLOX, Ultralytics, RT-DETR, D-FINE, RF-DETR; needs onnxruntime."),
]

Output = Annotated[
    Path | None,
    typer.Option(help="Folder for predictions.json, keypoints.csv, and overlays/NAME.png or, of a video, NAME.mp4."),
]
MinScore = Annotated[
    float | None,
    typer.Option(help="Do not show keypoints with a lower score; default: the protocol's keypoint threshold."),
]


@app.command(rich_help_panel=USE, epilog="Example: transpose predict photo.jpg --box 120,40,200,420 --output poses")
def predict(
    inputs: Inputs,
    model: Model = None,
    box: Box = None,
    boxes: Boxes = None,
    detector: Detector = None,
    min_box_score: Annotated[float, typer.Option(help="Leave out boxes of the detector with a lower score.")] = 0.3,
    whole_image: Annotated[
        bool, typer.Option("--whole-image", help="Take each whole image as one person's box, without a note.")
    ] = False,
    output: Output = None,
    min_score: MinScore = None,
    detect_every: Annotated[
        int, typer.Option(min=1, help="Video: new boxes in every Nth frame; in between, persons are followed.")
    ] = 1,
    smooth: Annotated[bool, typer.Option("--smooth", help="Video: smooth keypoints with a One-Euro filter.")] = False,
    runtime: Annotated[
        RuntimeChoice | None,
        typer.Option(
            help="Library that runs the network on a CPU: torch, the default, or its export, which is written once;"
            " auto measures those installed and takes the fastest."
        ),
    ] = None,
    device: Annotated[
        DeviceChoice | None, typer.Option(help="Where PyTorch computes; default: a GPU if there is one.")
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="CPU threads of the network; default: OMP_NUM_THREADS, or all cores. The last digits of the results"
            " depend on it.",
        ),
    ] = None,
) -> None:
    """Predict the keypoints of persons in images or a video.

    Prints a line per person. With --output, writes predictions.json (COCO keypoint results), keypoints.csv and
    overlays. Without --box, --boxes or --detector, each whole image is taken as one person's box. In a video, persons
    have ids; --box is of the first frame, and image_id in --boxes is the number of the frame, from 0.
    """
    from transpose.data.image_inputs import images_of, video_of

    _check_options(box, boxes, detector, whole_image, min_score)
    video = video_of(inputs)
    if video is None and (smooth or detect_every > 1):
        raise InputError("is for a video", file="--smooth" if smooth else "--detect-every")
    finder = None if detector is None else _detector_of(detector, min_box_score)
    if video is None:
        persons = persons_in(images_of(inputs, sys.stdin), box, boxes)
        whole = sum(one.boxes_xywh is None for one in persons)
        show = _show_of(_predictor(model, runtime, device, threads), output, min_score)
        _predict_images(show, persons, finder)
    else:
        opened, source = _video_persons(video, box, boxes, finder, detect_every)
        whole = int(source.boxes is None)
        show = _show_of(_predictor(model, runtime, device, threads), output, min_score)
        _predict_video(show, opened, source, smooth)
    print(f"Keypoints scored below {show.min_score:g} are left out.", file=sys.stderr)
    if finder is None and not whole_image:
        note_whole_images(whole)


@dataclass(frozen=True)
class _Show:
    """A model, and where its poses are shown."""

    model: "PosePredictor"
    output: Path | None
    min_score: float
    """Keypoints with a lower score are not shown."""


def _show_of(model: "PosePredictor", output: Path | None, min_score: float | None) -> _Show:
    return _Show(model, output, model.protocol.keypoint_threshold if min_score is None else min_score)


def _check_options(
    box: list[str] | None, boxes: Path | None, detector: Path | None, whole_image: bool, min_score: float | None
) -> None:
    options = {"--box": box, "--boxes": boxes, "--detector": detector, "--whole-image": whole_image}
    given = [name for name, value in options.items() if value]
    if len(given) > 1:
        raise InputError(f"cannot be combined with {given[0]}", file=given[1])
    if min_score is not None and not math.isfinite(min_score):
        raise InputError("must be a number", file="--min-score", record=min_score)


def _detector_of(path: Path, min_box_score: float) -> "PersonDetector":
    from transpose.data.detector import NMS_THRESHOLD, PersonDetector
    from transpose.data.detector_model import DetectorModel

    return PersonDetector(DetectorModel(path, min_box_score), NMS_THRESHOLD)


def _predictor(
    model: str | None, runtime: RuntimeChoice | None, device: DeviceChoice | None, threads: int | None
) -> "PosePredictor":
    """Load a model; exported files load without PyTorch."""
    from transpose.config.exported import is_exported

    if model is not None and is_exported(model):
        for option, value in {"--runtime": runtime, "--device": device}.items():
            if value is not None:
                raise InputError("is for models that are not exported yet", file=option, record=value)
        from transpose.export.model import load_exported

        return load_exported(model, threads)
    from transpose.model_sources import load

    return load(model, runtime=runtime or "torch", device=device, threads=threads)


def _predict_images(show: _Show, persons: "Sequence[ImagePersons]", detector: "PersonDetector | None") -> None:
    from tqdm import tqdm

    from transpose.reporting.pose_text import PersonTable, keypoint_blocks
    from transpose.reporting.predict_images import predict_images

    table = PersonTable([one.path.name for one in persons], show.min_score)
    with tqdm(total=len(persons), unit="image", disable=None) as progress:

        def on_image(image: "ImagePoses") -> None:
            name, poses = image.path.name, image.poses
            in_full = show.output is None
            lines = keypoint_blocks(name, poses, show.min_score) if in_full else table.lines(name, poses)
            for line in lines:
                progress.write(line)
            progress.update()

        if show.output is not None:
            progress.write(table.heading)
        predict_images(show.model, persons, detector, on_image, show.output, show.min_score)


def _video_persons(
    source: str, box: list[str] | None, boxes: Path | None, detector: "PersonDetector | None", detect_every: int
) -> "tuple[Video, VideoPersons]":
    from transpose.data.image_boxes import boxes_of_frames, parse_boxes
    from transpose.data.video import Video
    from transpose.reporting.predict_video import VideoPersons

    video = Video(source)
    if boxes is not None and video.frame_count is None:
        raise InputError("needs a video with a known number of frames", file="--boxes")
    given = None
    if boxes is not None:
        given = boxes_of_frames(boxes, video.frame_count or 0)
    elif box:
        given = [parse_boxes(box)]
    return video, VideoPersons(given, detector, detect_every)


def _predict_video(show: _Show, video: "Video", persons: "VideoPersons", smooth: bool) -> None:
    from tqdm import tqdm

    from transpose.reporting.pose_text import PersonTable
    from transpose.reporting.predict_video import predict_video

    table, frames, ids = PersonTable(["frame 00000"], show.min_score), 0, set[int]()
    with tqdm(total=video.frame_count, unit="frame", disable=None) as progress:

        def on_frame(frame: int, poses: "Poses") -> None:
            nonlocal frames
            frames = frame + 1
            ids.update(poses.persons)
            if show.output is None:
                for line in table.lines(f"frame {frame}", poses):
                    progress.write(line)
            progress.update()

        if show.output is None:
            progress.write(table.heading)
        predict_video(show.model, video, persons, smooth, on_frame, show.output, show.min_score)
    print(f"{video.name}: {frames} frames, {len(ids)} persons")
