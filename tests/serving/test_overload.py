"""An overloaded server refuses at once, a late answer and a slow image end, and the server goes on."""

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

import transpose
from tests.helpers.served import Client, served
from transpose.data.photographs import photographs_folder
from transpose.pose_model import PoseModel
from transpose.serving.app import create_app
from transpose.serving.limits import Limits

PHOTOGRAPH = (photographs_folder() / "images" / "000000214753.jpg").read_bytes()


class SlowModel:
    """Makes `PoseModel.predict` wait."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.entered, self.opened = threading.Event(), threading.Event()
        predict = PoseModel.predict

        def wait(model: PoseModel, *arguments: object) -> object:
            self.entered.set()
            assert self.opened.wait(60)
            return predict(model, *arguments)  # pyright: ignore[reportArgumentType]

        monkeypatch.setattr(PoseModel, "predict", wait)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowModel]:
    slow = SlowModel(monkeypatch)
    yield slow
    slow.opened.set()


def test_a_full_queue_is_refused_and_then_answered(slow: SlowModel) -> None:
    app = create_app(transpose.load(), Limits(queue=0), ["127.0.0.1"])
    with served(app) as client, ThreadPoolExecutor(1) as other:
        first = other.submit(client.post, "/predict", PHOTOGRAPH)
        assert slow.entered.wait(60)
        refused = client.post("/predict", PHOTOGRAPH)
        assert (refused.status, refused.headers["Retry-After"]) == (429, "1")
        assert refused.json["error"] == "busy: 0 requests are waiting; try again"
        # What needs no model is answered.
        assert client.get("/health").status == 200
        slow.opened.set()
        assert first.result().status == 200
        assert client.post("/predict", PHOTOGRAPH).status == 200


def test_a_late_answer_is_refused_and_its_slot_becomes_free(slow: SlowModel) -> None:
    with served(create_app(transpose.load(), Limits(queue=0, seconds=0.3), ["127.0.0.1"])) as client:
        late = client.post("/predict", PHOTOGRAPH)
        assert (late.status, late.headers["Retry-After"]) == (503, "1")
        assert late.json["error"] == "no answer within 0.3 s; try again, or with fewer boxes"
        assert client.post("/predict", PHOTOGRAPH).status == 429
        slow.opened.set()
        # On a busy machine, this answer may be late too.
        assert wait_until_answered(client) in (200, 503)


HEAD = b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/jpeg\r\nContent-Length: 1000\r\n\r\nhalf"


def test_an_image_that_does_not_arrive_is_refused() -> None:
    with served(create_app(transpose.load(), Limits(queue=0, seconds=0.3), ["127.0.0.1"])) as client:
        with socket.create_connection(("127.0.0.1", client.port)) as connection:
            connection.sendall(HEAD)
            answer = ""
            # The body may arrive after the head.
            while not answer.endswith("}") and (part := connection.recv(10_000)):
                answer += part.decode()
        assert answer.startswith("HTTP/1.1 408 ")
        assert "the image did not arrive within 0.3 s" in answer


def test_a_client_that_leaves_frees_its_slot() -> None:
    with served(create_app(transpose.load(), Limits(queue=0), ["127.0.0.1"])) as client:
        with socket.create_connection(("127.0.0.1", client.port)) as connection:
            connection.sendall(HEAD)
        assert wait_until_answered(client) == 200


def wait_until_answered(client: Client) -> int:
    status = 429
    for _ in range(200):
        if (status := client.post("/predict", PHOTOGRAPH).status) != 429:
            break
    return status
