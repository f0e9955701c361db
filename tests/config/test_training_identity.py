"""What determines the weights counts, and nothing else."""

from typing import Any

import pytest

from tests.helpers.run_records import SMALL
from transpose.config.study import EvalProtocol
from transpose.config.training_identity import TrainingIdentity
from transpose.skeleton import COCO_PERSON

C = "c" * 15
FILES = {"train": "a" * 64, "validation": "b" * 64, "train_images": "c" * 64}


def identity(**changes: Any) -> TrainingIdentity:
    values = {
        "recipe": SMALL,
        "seed": 0,
        "files": FILES,
        "skeleton": COCO_PERSON,
        "evaluation": "oks",
        "protocol": EvalProtocol(),
    }
    return TrainingIdentity.model_validate(values | changes)


def with_variant(**changes: Any) -> TrainingIdentity:
    return identity(recipe=SMALL.model_copy(update={"variant": SMALL.variant.model_copy(update=changes)}))


def with_training(**changes: Any) -> TrainingIdentity:
    return identity(recipe=SMALL.model_copy(update={"training": SMALL.training.model_copy(update=changes)}))


@pytest.mark.parametrize(
    "other",
    [
        with_variant(title="Another"),
        with_variant(published="another row"),
        with_training(workers=7, image_cache_gb=3.0),
        with_training(backbone_weights="a path; its digest is among the files"),
        identity(protocol=EvalProtocol(batch_size=1, threads=3, compile=True)),
        identity(protocol=EvalProtocol(runtime="openvino")),
        identity(files={"train": "a" * 64, "validation": "b" * 64}),
        identity(skeleton=COCO_PERSON.model_copy(update={"limbs": ()})),
    ],
)
def test_names_speed_and_paths_do_not_count(other: TrainingIdentity) -> None:
    assert other.differences(identity()) == []
    assert identity().differences(other) == []


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        (with_training(sigma=1.5), "recipe.training.sigma was 2.0, is 1.5"),
        (identity(seed=1), "seed was 0, is 1"),
        (identity(protocol=EvalProtocol(flip_test=False)), "protocol.flip_test was true, is false"),
        (identity(files=FILES | {"train": "d" * 64}), f'files.train was "{"a" * 15}..., is "{"d" * 15}...'),
        (identity(files=FILES | {"backbone": "d" * 64}), f'files.backbone was absent, is "{"d" * 15}...'),
        (
            identity(files=FILES | {"train_images": "d" * 64}),
            f'files.train_images was "{"c" * 15}..., is "{"d" * 15}...',
        ),
    ],
)
def test_a_difference_is_named_with_both_values(other: TrainingIdentity, difference: str) -> None:
    assert other.differences(identity()) == [difference]
    assert other.digest != identity().digest


@pytest.mark.parametrize(
    ("chosen", "recorded", "used", "differences"),
    [
        (None, None, (8,), []),
        (None, None, (8, 4), []),
        # Records of older versions: the recipe's number, which was 1 by default.
        (None, 1, (), []),
        (4, 4, (), []),
        (4, None, (4,), []),
        (4, None, (4, 4), []),
        (4, 8, (), ["recipe.training.threads was 8, is 4"]),
        (4, None, (8,), ["recipe.training.threads was 8, is 4"]),
        (4, None, (8, 4), ["recipe.training.threads was [8, 4], is 4"]),
    ],
)
def test_threads_count_only_where_a_number_of_them_is_chosen(
    chosen: int | None, recorded: int | None, used: tuple[int, ...], differences: list[str]
) -> None:
    old = with_training(threads=recorded).model_copy(update={"threads": used})
    assert with_training(threads=chosen).differences(old) == differences


def test_a_key_that_was_added_has_its_default_in_older_values() -> None:
    older = identity().model_dump(mode="json")
    del older["recipe"]["training"]["validation_interval"]
    del older["protocol"]["keypoint_threshold"]
    assert identity().differences(TrainingIdentity.model_validate(older)) == []
