"""The explorer in a real browser: what is pointed at is shown, and what is told are the arrays' numbers."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.browser import CHROMIUM, Page, browser
from tests.reporting.made_up_explorer import HOSTILE, Known, made_up_page
from transpose.attention.maps.quantise import LogScale
from transpose.attention.maps.stored import COARSE, FINE, pooled
from transpose.reporting.explorer import write_page
from transpose.skeleton import COCO_PERSON

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (Debian: apt install chromium)")

ROUNDING = 0.005
"""Three digits are told."""


class Explorer:
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

    def told(self, what: str, panel: int = 0) -> str:
        """Text of a part of a panel."""
        return self.page.evaluate(f"document.querySelectorAll('.panel .{what}')[{panel}].textContent")

    def query(self, panel: int = 0) -> int:
        return int(self.page.evaluate(f"document.querySelectorAll('canvas[tabindex]')[{panel}].dataset.query"))

    def above(self, panel: int = 0) -> int:
        return int(self.page.evaluate(f"document.querySelectorAll('canvas[tabindex]')[{panel}].dataset.above"))

    def value(self, panel: int = 0) -> float:
        """The number that is told of the cell that is read; 0 where it is below the floor."""
        text = self.told("reading", panel)
        match = re.search(r", (below )?([\d.]+)×$", text)
        assert match, text
        return 0.0 if match[1] else float(match[2])


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Explorer]:
    folder = tmp_path_factory.mktemp("explorer")
    page, known = made_up_page()
    write_page(page, folder / "page.html")
    with browser(folder / "profile") as tab:
        yield Explorer(tab, folder / "page.html", known)


@pytest.fixture
def explorer(opened: Explorer) -> Iterator[Explorer]:
    """A desktop window, and after the test a page that has not complained and has asked nobody for anything."""
    opened.page.problems.clear()
    opened.page.resize(1600, 1000)
    yield opened
    assert opened.page.problems == []


def assert_told(told: float, true: float, scale: LogScale) -> None:
    if told == 0:
        assert true < scale.floor * (1 + 1e-5)
    else:
        assert abs(told - true) / true <= scale.largest_error + ROUNDING


def counted(values: np.ndarray, scale: LogScale, threshold: float) -> int:
    return int((scale.restore(scale.quantise(values)) > threshold).sum())


def test_a_hostile_name_is_shown_and_not_obeyed(explorer: Explorer) -> None:
    explorer.open()
    assert HOSTILE in explorer.page.evaluate("document.getElementById('who').textContent")
    assert explorer.page.evaluate("window.injected === undefined && document.images.length === 0")


def test_the_policy_forbids_the_network(explorer: Explorer) -> None:
    explorer.open()
    assert explorer.page.evaluate("fetch('https://example.org/').then(() => 'went', () => 'refused')") == "refused"
    assert any("Content Security Policy" in problem for problem in explorer.page.problems)
    explorer.page.problems.clear()


@pytest.mark.parametrize(("model", "person"), [(0, 0), (2, 1)])
def test_pointing_at_a_cell_asks_for_that_cell(explorer: Explorer, model: int, person: int) -> None:
    known = explorer.known[model]
    grid, name = known.shown.grid, known.shown.name
    explorer.open(person=person, model=name, layer=2, head="mean", threshold=1)
    for cell in (0, 11, 77, 100, grid.tokens - 1):
        explorer.point(grid.centres()[cell], grid.input_size)
        assert explorer.query() == cell
        assert explorer.above() == counted(known.areas[person].cells[1, 0, cell], FINE, 1.0)


def test_numbers_told_are_the_arrays(explorer: Explorer) -> None:
    known = explorer.known[0]
    grid, cells = known.shown.grid, known.areas[1].cells
    for area, head in (("dependency", 0), ("affected", 2)):
        explorer.open(person=1, model="a", layer=1, head=head or "mean", area=area, query=0)
        explorer.click(grid.centres()[50], grid.input_size)
        assert explorer.query() == 50
        for cell in (0, 49, 50, 51, 95, 130, 191):
            explorer.point(grid.centres()[cell], grid.input_size)
            assert explorer.query() == 50
            row, column = cell // 12 + 1, cell % 12 + 1
            assert f"Here: row {row}, column {column}, " in explorer.told("reading")
            true = cells[0, head, 50, cell] if area == "dependency" else cells[0, head, cell, 50]
            assert_told(explorer.value(), true, FINE)


def test_a_held_query_is_released(explorer: Explorer) -> None:
    grid = explorer.known[0].shown.grid
    explorer.open(model="a", query=0)
    explorer.click(grid.centres()[20], grid.input_size)
    explorer.press("Escape")
    explorer.point(grid.centres()[30], grid.input_size)
    assert explorer.query() == 30


def test_keypoints_are_the_tab_order_and_arrows_move_the_cell(explorer: Explorer) -> None:
    known = explorer.known[0]
    queries = known.shown.grid.tokens_at(known.shown.points_xy[0])
    explorer.open(model="a", joint=5)
    explorer.page.evaluate("document.querySelectorAll('canvas[tabindex]')[0].focus()")
    for joint in range(17):
        explorer.press("Tab")
        name = COCO_PERSON.keypoints[joint].replace("_", " ")
        assert explorer.told("query").startswith(f"Query: {name}, cell at row ")
        assert explorer.query() == queries[joint]
        assert explorer.page.evaluate("document.activeElement.getAttribute('aria-label')") == (
            f"{name}, confidence {known.shown.scores[0, joint]:.2f}"
        )
    explorer.address(query=50)
    explorer.press("ArrowRight", "ArrowDown", "ArrowDown")
    assert explorer.query() == 50 + 1 + 24
    explorer.press("ArrowLeft", "ArrowUp")
    assert explorer.query() == 50 + 12
    explorer.address(query=11)
    explorer.press("ArrowRight", "ArrowUp")
    assert explorer.query() == 11


def test_keys_do_what_the_page_says(explorer: Explorer) -> None:
    explorer.open(model="a", layer=1, head="mean", area="dependency", threshold=1, query=5, compare=0)
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
        explorer.press(key)
        assert found in explorer.page.evaluate("location.hash")
    explorer.press("l", shift=True)
    assert "layer2=1" in explorer.page.evaluate("location.hash")


def test_the_address_is_the_view(explorer: Explorer) -> None:
    known = explorer.known[0]
    explorer.open(person=1, area="affected", threshold=2, query=44, model="a", layer=1, head=2)
    shown = explorer.above()
    assert shown == counted(known.areas[1].cells[0, 2, :, 44], FINE, 2.0)
    address = explorer.page.evaluate("location.hash")
    explorer.open(model="c")
    explorer.open(**dict(part.split("=") for part in address[1:].split("&")))
    assert (explorer.query(), explorer.above()) == (44, shown)
    explorer.address(joint=3, area="dependency", head="mean")
    assert explorer.above() == counted(known.areas[1].rows[0, 0, 3], FINE, 2.0)
    explorer.address(person=99, model="nobody", layer=-1, query="x", threshold="none")
    assert "person=1" in explorer.page.evaluate("location.hash")


def test_a_threshold_that_hides_all_says_so(explorer: Explorer) -> None:
    explorer.open(model="a", joint=0, threshold=1e9)
    assert explorer.above() == 0
    assert explorer.told("empty").startswith("Nothing to show: no cell is above ")
    assert not explorer.page.evaluate("document.querySelector('.empty').hidden")
    explorer.address(threshold=1)
    assert explorer.above() > 0
    assert explorer.page.evaluate("document.querySelector('.empty').hidden")


def test_two_models_are_asked_about_one_place(explorer: Explorer) -> None:
    (a, b, c) = explorer.known
    explorer.open(person=1, compare=1, model="a", layer=1, head="mean", model2="b", layer2=2, head2="mean", threshold=1)
    cell = 5 * 12 + 7
    explorer.point(a.shown.grid.centres()[cell], (128, 96))
    assert explorer.query(0) == cell
    # Blocks of 2 x 2 of a grid twice as fine are the very cells of the coarser one.
    assert explorer.query(1) == cell
    blocks = pooled_mean(b, person=1, layer=1)
    assert explorer.above(0) == counted(a.areas[1].cells[0, 0, cell], FINE, 1.0)
    assert explorer.above(1) == counted(blocks[cell], COARSE, 1.0)
    # The other model's input is half as large: the same place of the image.
    explorer.address(model2="c")
    explorer.point(a.shown.grid.centres()[cell], (128, 96))
    assert explorer.query(1) == cell
    assert explorer.above(1) == counted(c.areas[1].cells[1, 0, cell], FINE, 1.0)
    # A keypoint is each model's own.
    explorer.address(joint=9)
    for index, known in enumerate((a, c)):
        assert explorer.query(index) == known.shown.grid.tokens_at(known.shown.points_xy[1, 9])


def pooled_mean(known: Known, person: int, layer: int) -> np.ndarray:
    return pooled(torch.from_numpy(known.areas[person].cells[layer, 0]), known.shown.grid.size, 2).numpy()


def test_blocks_are_told_as_blocks_and_keypoints_as_cells(explorer: Explorer) -> None:
    known = explorer.known[1]
    explorer.open(model="b", layer=2, head="mean", query=30, held=1)
    assert explorer.told("query") == "Query: block at row 3, column 7 of 16 × 12"
    blocks = pooled_mean(known, person=0, layer=1)
    for block in (30, 31, 90):
        place = np.array(known.shown.grid.centres()[(2 * (block // 12)) * 24 + 2 * (block % 12)])
        explorer.point(place, (128, 96))
        assert_told(explorer.value(), blocks[30, block], COARSE)
    explorer.address(joint=4, held=1)
    assert explorer.told("query").endswith(" of 32 × 24")
    explorer.point(known.shown.grid.centres()[400], (128, 96))
    assert_told(explorer.value(), known.areas[0].rows[1, 0, 4, 400], FINE)


def test_heads_that_are_not_there_are_not_made_up(explorer: Explorer) -> None:
    known = explorer.known[1]
    explorer.open(model="b", layer=1, head=2, query=30, threshold=1)
    assert explorer.told("empty").startswith("Single heads of this model are kept for keypoints only")
    assert explorer.told("reading") == explorer.told("count") == ""
    explorer.address(joint=6)
    assert explorer.above() == counted(known.areas[0].rows[0, 2, 6], FINE, 1.0)


def test_fingers_choose_and_read(explorer: Explorer) -> None:
    known = explorer.known[0]
    grid = known.shown.grid
    explorer.page.resize(400, 850, touch=True)
    explorer.open(model="a", layer=1, head="mean", query=0)
    explorer.page.tap(*explorer.place(grid.centres()[100], grid.input_size))
    explorer.settle()
    assert explorer.query() == 100
    explorer.page.evaluate("document.getElementById('hold').click()")
    explorer.page.tap(*explorer.place(grid.centres()[45], grid.input_size))
    explorer.settle()
    assert explorer.query() == 100
    assert_told(explorer.value(), known.areas[0].cells[0, 0, 100, 45], FINE)


@pytest.mark.parametrize("width", [400, 800, 1600])
@pytest.mark.parametrize("dark", [False, True])
def test_nothing_is_cut_off_at_any_width(explorer: Explorer, width: int, dark: bool) -> None:
    explorer.page.resize(width, 850, dark=dark)
    explorer.open(compare=1, model="a", model2="b")
    assert explorer.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    boxes = [explorer.canvas(panel) for panel in (0, 1)]
    assert boxes[0]["left"] + boxes[0]["width"] < boxes[1]["left"]
    assert all(box["width"] > 150 for box in boxes)
    assert boxes[0]["height"] / boxes[0]["width"] == pytest.approx(128 / 96, rel=0.01)


def test_everything_to_operate_has_a_name(explorer: Explorer) -> None:
    explorer.open(compare=1)
    unnamed = """[...document.querySelectorAll('button, select, input, canvas[tabindex]')].filter(one =>
        !(one.getAttribute('aria-label') || one.labels?.[0]?.textContent.trim() || one.textContent.trim())).length"""
    assert explorer.page.evaluate(unnamed) == 0


def test_colours_are_those_of_the_values(explorer: Explorer) -> None:
    known = explorer.known[0]
    grid = known.shown.grid
    explorer.open(model="a", layer=2, head="mean", query=0, threshold=1, pose=0)
    codes = FINE.quantise(known.areas[0].cells[1, 0, 0])
    values = FINE.restore(codes)
    strongest, weakest = int(values.argmax()), int(np.where(values > 1, values, np.inf).argmin())
    colours = [
        explorer.page.evaluate(pixel_at(*(grid.centres()[cell] + 0.5) / (96, 128))) for cell in (strongest, weakest)
    ]
    # Reading pixels twice is what the browser complains of, and only this test does.
    explorer.page.problems.clear()
    # Plasma grows from blue over red to yellow.
    assert colours[0][1] > colours[1][1] + 20


def pixel_at(x: float, y: float) -> str:
    """Expression of the first map's colour [r, g, b, a] at shares of its width and height."""
    return (
        "(() => {const c = document.querySelector('canvas[tabindex]'); const at = [c.width, c.height];"
        f"const [x, y] = [{x}, {y}].map((share, axis) => Math.floor(share * at[axis]));"
        "return [...c.getContext('2d').getImageData(x, y, 1, 1).data]})()"
    )
