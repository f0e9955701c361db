"""The page in a real browser: a dropped image shows the server's keypoints and areas."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import transpose
from tests.helpers.browser import CHROMIUM, Page, browser
from tests.helpers.served import Client, served
from transpose.data.photographs import photographs_folder
from transpose.serving.app import create_app
from transpose.serving.limits import Limits

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (Debian: apt install chromium)"),
]

PHOTOGRAPH = photographs_folder() / "images" / "000000214753.jpg"
BOX = "360,115,57,135"


class PosePage:
    """The page as a user sees it."""

    def __init__(self, page: Page, client: Client) -> None:
        self.page, self.client = page, client

    def open(self) -> None:
        self.page.visit(self.client.url)
        self.settle()
        self.page.problems = [line for line in self.page.problems if not line.endswith(f"{self.client.url}/")]

    def settle(self) -> None:
        self.page.wait_for("document.body && document.body.dataset.ready === 'true'")

    def drop(self, data: bytes, kind: str = "image/jpeg") -> None:
        """Drop a file on the page."""
        text = base64.b64encode(data).decode()
        self.page.evaluate(
            f"(() => {{const bytes = Uint8Array.from(atob('{text}'), c => c.charCodeAt(0));"
            f" const file = new File([bytes], 'dropped', {{type: '{kind}'}});"
            " const transfer = new DataTransfer(); transfer.items.add(file);"
            " document.body.dataset.ready = 'false';"
            " document.getElementById('drop').dispatchEvent(new DragEvent('drop',"
            " {dataTransfer: transfer, bubbles: true, cancelable: true}))})()"
        )
        self.settle()

    def text(self, identifier: str) -> str:
        return self.page.evaluate(f"document.getElementById('{identifier}').textContent")

    def cells(self) -> int:
        """Number of cells that are drawn."""
        return int(self.page.evaluate("document.getElementById('canvas').dataset.cells"))

    def set_boxes(self, text: str) -> None:
        self.page.evaluate(
            f"(() => {{const field = document.getElementById('boxes'); field.value = '{text}';"
            " document.body.dataset.ready = 'false'; field.dispatchEvent(new Event('change'))})()"
        )
        self.settle()

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Pixels of the window of a point in image pixels."""
        box = self.page.evaluate(
            "(() => {const c = document.getElementById('canvas'); c.scrollIntoView({block: 'center'});"
            " const b = c.getBoundingClientRect(); return {left: b.left, top: b.top,"
            " scale: b.width / state.image.width}})()"
        )
        return box["left"] + (x + 0.5) * box["scale"], box["top"] + (y + 0.5) * box["scale"]


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PosePage]:
    app = create_app(transpose.load(), Limits(bytes=1_000_000), ["127.0.0.1"])
    with served(app) as client, browser(tmp_path_factory.mktemp("profile")) as tab:
        yield PosePage(tab, client)


@pytest.fixture
def page(opened: PosePage) -> Iterator[PosePage]:
    """The page, just opened; after the test, checks that it had no errors and loaded nothing from elsewhere."""
    opened.page.problems.clear()
    opened.page.resize(1300, 900)
    opened.open()
    yield opened
    allowed = tuple(f"asked the network for {opened.client.url}{path}" for path in ("/explain", "/predict"))
    unexpected = [line for line in opened.page.problems if not line.startswith(allowed)]
    assert unexpected == []


def test_a_dropped_image_shows_the_keypoints_of_the_server(page: PosePage) -> None:
    page.drop(PHOTOGRAPH.read_bytes())
    assert page.text("status").startswith("1 person. The whole image was taken as one")
    page.set_boxes(BOX)
    assert page.text("status") == "1 person."
    (person,) = page.client.post("/predict", PHOTOGRAPH.read_bytes(), [BOX]).json["persons"]
    shown = page.page.evaluate("[...document.querySelectorAll('#keypoints .scores')].map(one => one.textContent)")
    assert shown == [f"{point['score']:.2f}" for point in person["keypoints"].values()]


def test_the_area_of_a_keypoint_is_that_of_the_server(page: PosePage) -> None:
    page.drop(PHOTOGRAPH.read_bytes())
    page.set_boxes(BOX)
    (person,) = page.client.post("/explain", PHOTOGRAPH.read_bytes(), [BOX]).json["persons"]
    page.page.evaluate("document.querySelectorAll('#keypoints button')[9].click()")
    for kind in ("dependency", "affected"):
        page.page.evaluate(f"document.querySelector('[value={kind}]').click()")
        values = [value for row in person[kind]["left_wrist"] for value in row]
        assert page.cells() == sum(value > 1 for value in values) > 0
    page.page.evaluate("document.querySelector('[value=none]').click()")
    assert page.cells() == 0


def test_dragging_draws_a_box_and_a_click_chooses_a_keypoint(page: PosePage) -> None:
    page.drop(PHOTOGRAPH.read_bytes())
    start, end = page.place(360, 115), page.place(417, 250)
    page.page.evaluate("document.body.dataset.ready = 'false'")
    page.page.mouse("mouseMoved", *start)
    page.page.mouse("mousePressed", *start)
    page.page.mouse("mouseMoved", *end)
    page.page.mouse("mouseReleased", *end)
    page.settle()
    box = [int(part) for part in page.page.evaluate("document.getElementById('boxes').value").split(",")]
    assert box == pytest.approx([360, 115, 57, 135], abs=2)
    (person,) = page.page.evaluate("state.persons")
    wrist = person["keypoints"]["right_knee"]
    for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
        page.page.mouse(kind, *page.place(wrist["x"], wrist["y"]))
    assert page.page.evaluate("document.querySelector('#keypoints [aria-pressed=true]').firstChild.textContent") == (
        "right knee"
    )


def test_zooming_shows_the_person_s_crop_and_keeps_positions(page: PosePage) -> None:
    page.drop(PHOTOGRAPH.read_bytes())
    page.set_boxes(BOX)
    page.page.evaluate("document.getElementById('zoom').click()")
    x, y, width, height = map(int, BOX.split(","))
    (person,) = page.page.evaluate("state.persons")
    view, grid = page.page.evaluate("viewOf()"), person["grid"]
    assert (view["width"], view["height"]) == (grid["columns"] * grid["side"], grid["rows"] * grid["side"])
    assert view["x"] < x < x + width < view["x"] + view["width"]
    assert view["y"] < y < y + height < view["y"] + view["height"]
    ankle = person["keypoints"]["right_ankle"]
    box = page.page.evaluate(
        "(() => {const b = document.getElementById('canvas').getBoundingClientRect();"
        " return {left: b.left, top: b.top, width: b.width}})()"
    )
    scale = box["width"] / view["width"]
    place = box["left"] + (ankle["x"] - view["x"]) * scale, box["top"] + (ankle["y"] - view["y"]) * scale
    for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
        page.page.mouse(kind, *place)
    assert page.page.evaluate("document.querySelector('#keypoints [aria-pressed=true]').firstChild.textContent") == (
        "right ankle"
    )


@pytest.mark.parametrize(
    ("data", "kind", "line"),
    [
        (b"words", "image/jpeg", "dropped is not an image that this browser can show."),
        (b"words", "text/plain", "dropped is not an image that this browser can show."),
        (bytes(1_000_001), "image/png", "More than 1 MB: choose a smaller image."),
    ],
)
def test_what_is_no_image_is_one_line(page: PosePage, data: bytes, kind: str, line: str) -> None:
    page.drop(data, kind)
    assert page.text("status") == line
    page.drop(PHOTOGRAPH.read_bytes())
    assert page.text("status").startswith("1 person.")


def test_refusals_of_the_server_are_shown(page: PosePage) -> None:
    page.drop(PHOTOGRAPH.read_bytes())
    for boxes, line in (("1,2,3", "must be four numbers"), ("9000,1,5,5", "is outside the image")):
        page.set_boxes(boxes)
        assert line in page.text("status")
    # The browser itself reports each refused request.
    page.page.problems = [problem for problem in page.page.problems if "422" not in problem]


@pytest.mark.parametrize("width", [400, 900, 1500])
def test_nothing_is_cut_off_at_any_width(page: PosePage, width: int, tmp_path: Path) -> None:
    page.page.resize(width, 850, dark=width == 900)
    page.drop(PHOTOGRAPH.read_bytes())
    assert page.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    shape = page.page.evaluate(
        "(() => {const b = document.getElementById('canvas').getBoundingClientRect(); return b.width / b.height})()"
    )
    assert shape == pytest.approx(page.page.evaluate("state.image.width / state.image.height"), rel=0.01)


def test_the_policy_forbids_other_servers(page: PosePage) -> None:
    fetched = page.page.evaluate("fetch('https://example.org/').then(() => 'went', () => 'refused')")
    assert fetched == "refused"
    page.page.problems.clear()


def test_everything_to_operate_has_a_name(page: PosePage) -> None:
    unnamed = """[...document.querySelectorAll('button, select, input')].filter(one =>
        !(one.getAttribute('aria-label') || one.labels?.[0]?.textContent.trim() || one.textContent.trim())).length"""
    assert page.page.evaluate(unnamed) == 0
    assert json.loads(page.text("data"))["explains"]


def test_the_description_of_the_api_opens(opened: PosePage) -> None:
    opened.page.problems.clear()
    opened.page.visit(f"{opened.client.url}/docs")
    opened.page.wait_for("document.querySelectorAll('.operation').length === 5")
    assert [line for line in opened.page.problems if not line.endswith("/docs")] == []
