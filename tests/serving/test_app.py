"""The server's answers are those of the model, and requests beyond its limits are refused in one line."""

import json
from collections.abc import Iterator

import cv2
import numpy as np
import pytest

import transpose
from tests.helpers.served import Client, served
from transpose.data.images import read_image
from transpose.data.photographs import photographs_folder
from transpose.pose_model import PoseModel
from transpose.serving.app import create_app
from transpose.serving.limits import Limits

PHOTOGRAPH = photographs_folder() / "images" / "000000214753.jpg"
BOXES = ["232.6,126,63.4,121.9", "360.3,114.8,57.2,134.8"]
LIMITS = Limits(bytes=300_000, pixels=400_000, boxes=2)


@pytest.fixture(scope="module")
def model() -> PoseModel:
    return transpose.load()


@pytest.fixture(scope="module")
def client(model: PoseModel) -> Iterator[Client]:
    with served(create_app(model, LIMITS, ["127.0.0.1"])) as client:
        yield client


def test_poses_are_those_of_the_model(client: Client, model: PoseModel) -> None:
    answer = client.post("/predict", PHOTOGRAPH.read_bytes(), BOXES)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    poses = model.predict(PHOTOGRAPH, [[float(part) for part in box.split(",")] for box in BOXES])
    for index, person in enumerate(answer.json["persons"]):
        assert person["box"] == poses.boxes[index].tolist()
        assert person["score"] == poses.person_scores[index]
        for name, point in person["keypoints"].items():
            assert [point["x"], point["y"]] == poses.keypoints[name][index].tolist()
    assert len(answer.json["persons"]) == 2


def test_without_boxes_the_image_is_one(client: Client) -> None:
    (person,) = client.post("/predict", PHOTOGRAPH.read_bytes()).json["persons"]
    height, width = read_image(PHOTOGRAPH).shape[:2]
    assert person["box"] == [0, 0, width, height]


def test_areas_are_those_of_the_model_on_a_grid_in_the_image(client: Client, model: PoseModel) -> None:
    (person,) = client.post("/explain", PHOTOGRAPH.read_bytes(), BOXES[:1]).json["persons"]
    box = [float(part) for part in BOXES[0].split(",")]
    maps = model.attention(PHOTOGRAPH, [box])
    rows, columns = model.grid.size
    for kind in ("dependency", "affected"):
        expected = getattr(maps, kind)[0, 9] * rows * columns
        np.testing.assert_allclose(person[kind]["left_wrist"], expected, atol=6e-4)
    grid = person["grid"]
    assert (grid["rows"], grid["columns"]) == (rows, columns)
    # The crop's centre is that of the box, and the grid covers the box with a margin.
    centre = grid["x"] + (columns - 1) / 2 * grid["side"], grid["y"] + (rows - 1) / 2 * grid["side"]
    assert centre == pytest.approx((box[0] + (box[2] - 1) / 2, box[1] + (box[3] - 1) / 2))
    assert rows * grid["side"] == pytest.approx(1.25 * max(box[3], box[2] * 4 / 3), rel=0.05)


def test_the_model_is_described(client: Client, model: PoseModel) -> None:
    card = client.get("/model").json
    assert card["keypoints"] == list(model.skeleton.keypoints)
    assert len(card["weights_sha256"]) == 64
    assert client.get("/health").json == {"status": "ok"}


def png(height: int, width: int) -> bytes:
    return cv2.imencode(".png", np.zeros((height, width, 3), np.uint8))[1].tobytes()


@pytest.mark.parametrize(
    ("path", "body", "boxes", "content_type", "status", "line"),
    [
        ("/predict", b"words", [], "text/plain", 415, "the content type must be that of an image"),
        ("/predict", b"words", [], "image/jpeg", 422, "image: not an image that can be decoded"),
        ("/predict", b"", [], "image/jpeg", 422, "image: not an image that can be decoded"),
        ("/predict", PHOTOGRAPH.read_bytes()[:30000], [], "image/jpeg", 422, "image: the image is truncated"),
        ("/predict", png(1000, 401), [], "image/png", 413, "image: is 401x1000 pixels; at most 400000 are"),
        ("/predict", bytes(300_001), [], "image/jpeg", 413, "the image has more than the 300000 bytes"),
        ("/predict", png(9, 9), ["1,2,3"], "image/png", 422, "box: 1,2,3: must be four numbers"),
        ("/predict", png(9, 9), ["90,2,3,4"], "image/png", 422, "image: box 90,2,3,4: is outside the image"),
        ("/predict", png(9, 9), ["1,1,3,4"] * 3, "image/png", 413, "3 boxes; at most 2 are accepted"),
        ("/explain", b"words", [], "image/jpeg", 422, "image: not an image that can be decoded"),
    ],
)
def test_bad_requests_are_refused_in_one_line(
    client: Client, path: str, body: bytes, boxes: list[str], content_type: str, status: int, line: str
) -> None:
    answer = client.post(path, body, boxes, content_type)
    assert answer.status == status
    assert answer.json["error"].startswith(line)
    assert "\n" not in answer.json["error"]


def test_a_body_of_unknown_length_is_limited_too(client: Client) -> None:
    answer = client.post("/predict", (bytes(100_000) for _ in range(4)))
    assert (answer.status, answer.json["error"][:27]) == (413, "the image has more than the")


def test_parameters_and_paths_are_checked(client: Client) -> None:
    assert (
        client.request("POST", "/explain?layer=x", b"", {"Content-Type": "image/png"}).json["error"].startswith("layer")
    )
    outside = client.request("POST", "/explain?layer=9", png(9, 9), {"Content-Type": "image/png"})
    assert (outside.status, "layer: 9 is not one of the encoder's" in outside.json["error"]) == (422, True)
    assert client.get("/nothing").status == 404
    assert client.get("/predict").status == 405


@pytest.mark.parametrize("host", ["example.org", "127.0.0.1.example.org", ""])
def test_other_hosts_are_refused(client: Client, host: str) -> None:
    assert client.get("/model", Host=host).status == 400


def test_the_api_is_described_without_another_server(client: Client) -> None:
    description = client.get("/openapi.json").json
    assert set(description["paths"]) == {"/predict", "/explain", "/model", "/health", "/metrics"}
    assert description["paths"]["/predict"]["post"]["requestBody"]["content"] == {
        "image/*": {"schema": {"type": "string", "format": "binary"}}
    }
    page = client.get("/docs").body.decode()
    assert "POST /explain" in page
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "").replace("http://127.0.0.1", "")


def test_requests_are_counted(client: Client) -> None:
    client.post("/predict", b"words", [], "text/plain")
    text = client.get("/metrics").body.decode()
    assert 'transpose_requests_total{path="/predict",status="415"}' in text
    assert 'transpose_request_seconds_bucket{path="/predict",le="+Inf"}' in text
    assert "\ntranspose_queue_length 0\n" in text


def test_the_page_has_the_model_s_keypoints(client: Client, model: PoseModel) -> None:
    page = client.get("/").body.decode()
    data = json.loads(page.partition('id="data">')[2].partition("</script>")[0])
    assert data["keypoints"] == list(model.skeleton.keypoints)
    assert data["explains"]
