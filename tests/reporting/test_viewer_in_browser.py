"""The viewer in a real browser: it shows the cell under the pointer and the numbers of the arrays."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.helpers.browser import CHROMIUM, Page, browser
from tests.reporting.planted_viewer import HOSTILE, Known, made_up_page
from transpose.attention.maps.stored import COARSE, FINE, LogScale, pooled
from transpose.reporting.viewer import write_page
from transpose.skeleton import COCO_PERSON

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (Debian: apt install chromium)"),
]

ROUNDING = 0.005
"""Values are shown with three digits."""


class Viewer:
    """The page as a user sees it."""

    def __init__(self, page: Page, path: Path, known: list[Known]) -> None:
        self.page, self.path, self.known = page, path, known

    def open(self, **state: object) -> None:
        self.page.open(self.path, "#" + "&".join(f"{key}={value}" for key, value in state.items()))
        self.settle()

    def address(self, **state: object) -> None:
        """Change the address of the open page."""
        text = "&".join(f"{key}={value}" for key, value in state.items())
        changed = f"addEventListener('hashchange', () => done(0), {{once: true}}); location.hash = '{text}'"
        self.page.evaluate(f"new Promise(done => {{{changed}}})")
        self.settle()

    def settle(self) -> None:
        self.page.wait_for("document.body && document.body.dataset.ready === 'true'")

    def canvas(self, panel: int = 0) -> dict[str, float]:
        """Where the map is seen: left, top, width and height, after it was scrolled into view."""
        return self.page.evaluate(
            f"(() => {{const c = document.querySelectorAll('canvas[tabindex]')[{panel}];"
            " c.scrollIntoView({block: 'center'}); const b = c.getBoundingClientRect();"
            " return {left: b.left, top: b.top, width: b.width, height: b.height}})()"
        )

    def place(self, point: np.ndarray, size: tuple[int, int], panel: int = 0) -> tuple[float, float]:
        """Pixels of the window of a place (x, y) in crop pixels."""
        box = self.canvas(panel)
        # Where heatmap and crop are aligned at their outer pixels, an outer cell's centre can lie just outside.
        x, y = (np.clip(point, 0, (size[1] - 1, size[0] - 1)) + 0.5) / (size[1], size[0])
        return box["left"] + x * box["width"], box["top"] + y * box["height"]

    def point(self, point: np.ndarray, size: tuple[int, int], panel: int = 0) -> None:
        self.page.mouse("mouseMoved", *self.place(point, size, panel))
        self.settle()

    def click(self, point: np.ndarray, size: tuple[int, int], panel: int = 0) -> None:
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.page.mouse(kind, *self.place(point, size, panel))
        self.settle()

    def press(self, *keys: str, shift: bool = False) -> None:
        for key in keys:
            self.page.key(key, shift)
            self.settle()

    def text_of(self, part: str, panel: int = 0) -> str:
        """Text of a part of a panel."""
        return self.page.evaluate(f"document.querySelectorAll('.panel .{part}')[{panel}].textContent")

    def query(self, panel: int = 0) -> int:
        return int(self.page.evaluate(f"document.querySelectorAll('canvas[tabindex]')[{panel}].dataset.query"))

    def above(self, panel: int = 0) -> int:
        return int(self.page.evaluate(f"document.querySelectorAll('canvas[tabindex]')[{panel}].dataset.above"))

    def value(self, panel: int = 0) -> float:
        """The value shown for the cell that is read; 0 if it is below the floor."""
        text = self.text_of("reading", panel)
        match = re.search(r", (below )?([\d.]+)×$", text)
        assert match, text
        return 0.0 if match[1] else float(match[2])


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Viewer]:
    folder = tmp_path_factory.mktemp("viewer")
    page, known = made_up_page()
    write_page(page, folder / "page.html")
    with browser(folder / "profile") as tab:
        yield Viewer(tab, folder / "page.html", known)


@pytest.fixture
def viewer(opened: Viewer) -> Iterator[Viewer]:
    """The page in a desktop window; after the test, checks that it had no errors and loaded nothing."""
    opened.page.problems.clear()
    opened.page.resize(1600, 1000)
    yield opened
    assert opened.page.problems == []


def assert_shown(shown: float, true: float, scale: LogScale) -> None:
    if shown == 0:
        assert true < scale.floor * (1 + 1e-5)
    else:
        assert abs(shown - true) / true <= scale.largest_error + ROUNDING


def counted(values: np.ndarray, scale: LogScale, threshold: float) -> int:
    return int((scale.restore(scale.quantise(values)) > threshold).sum())


def test_a_hostile_name_is_shown_and_not_obeyed(viewer: Viewer) -> None:
    viewer.open()
    assert HOSTILE in viewer.page.evaluate("document.getElementById('who').textContent")
    assert viewer.page.evaluate("window.injected === undefined && document.images.length === 0")


def test_the_policy_forbids_the_network(viewer: Viewer) -> None:
    viewer.open()
    assert viewer.page.evaluate("fetch('https://example.org/').then(() => 'went', () => 'refused')") == "refused"
    assert any("Content Security Policy" in problem for problem in viewer.page.problems)
    viewer.page.problems.clear()


@pytest.mark.parametrize(("model", "person"), [(0, 0), (2, 1)])
def test_pointing_at_a_cell_asks_for_that_cell(viewer: Viewer, model: int, person: int) -> None:
    known = viewer.known[model]
    grid, name = known.shown.grid, known.shown.name
    viewer.open(person=person, model=name, layer=2, head="mean", threshold=1)
    for cell in (0, 11, 77, 100, grid.tokens - 1):
        viewer.point(grid.centres()[cell], grid.input_size)
        assert viewer.query() == cell
        assert viewer.above() == counted(known.areas[person].cells[1, 0, cell], FINE, 1.0)


def test_numbers_shown_are_those_of_the_arrays(viewer: Viewer) -> None:
    known = viewer.known[0]
    grid, cells = known.shown.grid, known.areas[1].cells
    for area, head in (("dependency", 0), ("affected", 2)):
        viewer.open(person=1, model="a", layer=1, head=head or "mean", area=area, query=0)
        viewer.click(grid.centres()[50], grid.input_size)
        assert viewer.query() == 50
        for cell in (0, 49, 50, 51, 95, 130, 191):
            viewer.point(grid.centres()[cell], grid.input_size)
            assert viewer.query() == 50
            row, column = cell // 12 + 1, cell % 12 + 1
            assert f"Here: row {row}, column {column}, " in viewer.text_of("reading")
            true = cells[0, head, 50, cell] if area == "dependency" else cells[0, head, cell, 50]
            assert_shown(viewer.value(), true, FINE)


def test_a_held_query_is_released(viewer: Viewer) -> None:
    grid = viewer.known[0].shown.grid
    viewer.open(model="a", query=0)
    viewer.click(grid.centres()[20], grid.input_size)
    viewer.press("Escape")
    viewer.point(grid.centres()[30], grid.input_size)
    assert viewer.query() == 30


def test_keypoints_are_the_tab_order_and_arrows_move_the_cell(viewer: Viewer) -> None:
    known = viewer.known[0]
    queries = known.shown.grid.tokens_at(known.shown.points_xy[0])
    viewer.open(model="a", keypoint=5)
    viewer.page.evaluate("document.querySelectorAll('canvas[tabindex]')[0].focus()")
    for keypoint in range(17):
        viewer.press("Tab")
        name = COCO_PERSON.keypoints[keypoint].replace("_", " ")
        assert viewer.text_of("query").startswith(f"Query: {name}, cell at row ")
        assert viewer.query() == queries[keypoint]
        assert viewer.page.evaluate("document.activeElement.getAttribute('aria-label')") == (
            f"{name}, confidence {known.shown.scores[0, keypoint]:.2f}"
        )
    viewer.address(query=50)
    viewer.press("ArrowRight", "ArrowDown", "ArrowDown")
    assert viewer.query() == 50 + 1 + 24
    viewer.press("ArrowLeft", "ArrowUp")
    assert viewer.query() == 50 + 12
    viewer.address(query=11)
    viewer.press("ArrowRight", "ArrowUp")
    assert viewer.query() == 11


def test_keys_do_what_the_page_says(viewer: Viewer) -> None:
    viewer.open(model="a", layer=1, head="mean", area="dependency", threshold=1, query=5, compare=0)
    for key, found in (
        ("a", "area=affected"),
        ("l", "layer=2"),
        ("h", "head=1"),
        ("]", "threshold=1.41"),
        ("[", "threshold=1"),
        ("n", "person=1"),
        ("p", "person=0"),
        ("c", "compare=1"),
        ("m", "model=b"),
    ):
        viewer.press(key)
        assert found in viewer.page.evaluate("location.hash")
    viewer.press("l", shift=True)
    assert "layer2=1" in viewer.page.evaluate("location.hash")


def test_the_address_is_the_view(viewer: Viewer) -> None:
    known = viewer.known[0]
    viewer.open(person=1, area="affected", threshold=2, query=44, model="a", layer=1, head=2)
    shown = viewer.above()
    assert shown == counted(known.areas[1].cells[0, 2, :, 44], FINE, 2.0)
    address = viewer.page.evaluate("location.hash")
    viewer.open(model="c")
    viewer.open(**dict(part.split("=") for part in address[1:].split("&")))
    assert (viewer.query(), viewer.above()) == (44, shown)
    viewer.address(keypoint=3, area="dependency", head="mean")
    assert viewer.above() == counted(known.areas[1].rows[0, 0, 3], FINE, 2.0)
    viewer.address(person=99, model="none", layer=-1, query="x", threshold="none")
    assert "person=1" in viewer.page.evaluate("location.hash")


def test_a_threshold_that_hides_all_says_so(viewer: Viewer) -> None:
    viewer.open(model="a", keypoint=0, threshold=1e9)
    assert viewer.above() == 0
    assert viewer.text_of("empty").startswith("Nothing to show: no cell is above ")
    assert not viewer.page.evaluate("document.querySelector('.empty').hidden")
    viewer.address(threshold=1)
    assert viewer.above() > 0
    assert viewer.page.evaluate("document.querySelector('.empty').hidden")


def test_two_models_are_asked_about_one_place(viewer: Viewer) -> None:
    (a, b, c) = viewer.known
    viewer.open(person=1, compare=1, model="a", layer=1, head="mean", model2="b", layer2=2, head2="mean", threshold=1)
    cell = 5 * 12 + 7
    viewer.point(a.shown.grid.centres()[cell], (128, 96))
    assert viewer.query(0) == cell
    # Blocks of 2 x 2 of a grid twice as fine are the very cells of the coarser one.
    assert viewer.query(1) == cell
    blocks = pooled_mean(b, person=1, layer=1)
    assert viewer.above(0) == counted(a.areas[1].cells[0, 0, cell], FINE, 1.0)
    assert viewer.above(1) == counted(blocks[cell], COARSE, 1.0)
    # The other model's input is half as large: the same place of the image.
    viewer.address(model2="c")
    viewer.point(a.shown.grid.centres()[cell], (128, 96))
    assert viewer.query(1) == cell
    assert viewer.above(1) == counted(c.areas[1].cells[1, 0, cell], FINE, 1.0)
    # A keypoint is each model's own.
    viewer.address(keypoint=9)
    for index, known in enumerate((a, c)):
        assert viewer.query(index) == known.shown.grid.tokens_at(known.shown.points_xy[1, 9])


def pooled_mean(known: Known, person: int, layer: int) -> np.ndarray:
    return pooled(torch.from_numpy(known.areas[person].cells[layer, 0]), known.shown.grid.size, 2).numpy()


def test_blocks_are_shown_as_blocks_and_keypoints_as_cells(viewer: Viewer) -> None:
    known = viewer.known[1]
    viewer.open(model="b", layer=2, head="mean", query=30, held=1)
    assert viewer.text_of("query") == "Query: block at row 3, column 7 of 16 × 12"
    blocks = pooled_mean(known, person=0, layer=1)
    for block in (30, 31, 90):
        place = np.array(known.shown.grid.centres()[(2 * (block // 12)) * 24 + 2 * (block % 12)])
        viewer.point(place, (128, 96))
        assert_shown(viewer.value(), blocks[30, block], COARSE)
    viewer.address(keypoint=4, held=1)
    assert viewer.text_of("query").endswith(" of 32 × 24")
    viewer.point(known.shown.grid.centres()[400], (128, 96))
    assert_shown(viewer.value(), known.areas[0].rows[1, 0, 4, 400], FINE)


def test_heads_that_are_not_there_are_not_made_up(viewer: Viewer) -> None:
    known = viewer.known[1]
    viewer.open(model="b", layer=1, head=2, query=30, threshold=1)
    assert viewer.text_of("empty").startswith("Single heads of this model are stored for keypoints only")
    assert viewer.text_of("reading") == viewer.text_of("count") == ""
    viewer.address(keypoint=6)
    assert viewer.above() == counted(known.areas[0].rows[0, 2, 6], FINE, 1.0)


def test_fingers_choose_and_read(viewer: Viewer) -> None:
    known = viewer.known[0]
    grid = known.shown.grid
    viewer.page.resize(400, 850, touch=True)
    viewer.open(model="a", layer=1, head="mean", query=0)
    viewer.page.tap(*viewer.place(grid.centres()[100], grid.input_size))
    viewer.settle()
    assert viewer.query() == 100
    viewer.page.evaluate("document.getElementById('hold').click()")
    viewer.page.tap(*viewer.place(grid.centres()[45], grid.input_size))
    viewer.settle()
    assert viewer.query() == 100
    assert_shown(viewer.value(), known.areas[0].cells[0, 0, 100, 45], FINE)


@pytest.mark.parametrize("width", [400, 800, 1600])
@pytest.mark.parametrize("dark", [False, True])
def test_nothing_is_cut_off_at_any_width(viewer: Viewer, width: int, dark: bool) -> None:
    viewer.page.resize(width, 850, dark=dark)
    viewer.open(compare=1, model="a", model2="b")
    assert viewer.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    boxes = [viewer.canvas(panel) for panel in (0, 1)]
    assert boxes[0]["left"] + boxes[0]["width"] < boxes[1]["left"]
    assert all(box["width"] > 150 for box in boxes)
    assert boxes[0]["height"] / boxes[0]["width"] == pytest.approx(128 / 96, rel=0.01)


def test_everything_to_operate_has_a_name(viewer: Viewer) -> None:
    viewer.open(compare=1)
    unnamed = """[...document.querySelectorAll('button, select, input, canvas[tabindex]')].filter(one =>
        !(one.getAttribute('aria-label') || one.labels?.[0]?.textContent.trim() || one.textContent.trim())).length"""
    assert viewer.page.evaluate(unnamed) == 0


def test_colours_are_those_of_the_values(viewer: Viewer) -> None:
    known = viewer.known[0]
    grid = known.shown.grid
    viewer.open(model="a", layer=2, head="mean", query=0, threshold=1, pose=0)
    codes = FINE.quantise(known.areas[0].cells[1, 0, 0])
    values = FINE.restore(codes)
    strongest, weakest = int(values.argmax()), int(np.where(values > 1, values, np.inf).argmin())
    colours = [
        viewer.page.evaluate(pixel_at(*(grid.centres()[cell] + 0.5) / (96, 128))) for cell in (strongest, weakest)
    ]
    # Reading pixels twice is what the browser complains of, and only this test does.
    viewer.page.problems.clear()
    # Plasma grows from blue over red to yellow.
    assert colours[0][1] > colours[1][1] + 20


def pixel_at(x: float, y: float) -> str:
    """Expression of the first map's colour [r, g, b, a] at shares of its width and height."""
    return (
        "(() => {const c = document.querySelector('canvas[tabindex]'); const at = [c.width, c.height];"
        f"const [x, y] = [{x}, {y}].map((share, axis) => Math.floor(share * at[axis]));"
        "return [...c.getContext('2d').getImageData(x, y, 1, 1).data]})()"
    )
