"""The error browser in a real browser: filters, order, keys, touch, two models and missing images."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.browsed_errors import HOSTILE, browser_page
from tests.helpers.browser import CHROMIUM, Page, browser
from transpose.reporting.error_browser import write_browser

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (Debian: apt install chromium)"),
]


class Browser:
    """The page as a user sees it."""

    def __init__(self, page: Page, path: Path) -> None:
        self.page, self.path = page, path

    def open(self, fragment: str = "") -> None:
        self.page.open(self.path, f"#{fragment}")
        self.settle()

    def settle(self) -> None:
        self.page.wait_for("document.body && document.body.dataset.ready === 'true'")

    def press(self, key: str, shift: bool = False) -> None:
        self.page.key(key, shift)
        self.settle()

    def choose(self, control: str, label: str) -> None:
        """Choose an option by the start of its label."""
        self.page.evaluate(
            f"(() => {{const s = document.getElementById('{control}');"
            f" s.value = [...s.options].find((one) => one.text.startsWith('{label}')).value;"
            " s.dispatchEvent(new Event('change'))})()"
        )
        self.settle()

    def text(self, selector: str) -> str:
        return self.page.evaluate(f"document.querySelector('{selector}').textContent")

    def numbers(self) -> list[str]:
        """What is under each shown panel."""
        return self.page.evaluate(
            "[...document.querySelectorAll('.panel:not([hidden]) .numbers')].map((one) => one.textContent)"
        )


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    folder = tmp_path_factory.mktemp("errors")
    write_browser(browser_page(), folder / "page.html", folder / "page_images")
    with browser(folder / "profile") as tab:
        yield Browser(tab, folder / "page.html")


@pytest.fixture
def shown(opened: Browser) -> Iterator[Browser]:
    """The page in a desktop window; after the test, checks that it had no errors and loaded nothing."""
    opened.page.problems.clear()
    opened.page.resize(1280, 900)
    opened.open()
    yield opened
    assert opened.page.problems == []


def test_filters_choose_by_class_keypoint_and_size(shown: Browser) -> None:
    for label, annotation in (("jitter", 4), ("inversion", 7), ("swap", 9), ("miss", 1), ("undetected", 15)):
        shown.choose("class", label)
        assert f"annotation {annotation}," in shown.text("#who")
        assert shown.text("#who").startswith("1 of 1: ")
    shown.choose("class", "duplicate")
    assert "prediction without a person" in shown.text("#who")
    assert shown.numbers()[1] == "no such prediction"
    shown.choose("class", "all")
    shown.choose("keypoint", "left shoulder")
    # Its jitter, and the undetected person.
    assert shown.text("#list-title") == "2 cases, OKS of Wrong | Exact"
    shown.choose("size", "small")
    assert shown.text("#who") == "Nothing on this page fits the filters."


def test_models_are_next_to_each_other_where_they_differ_most(shown: Browser) -> None:
    shown.choose("order", "most different")
    assert "annotation 15," in shown.text("#who")
    assert shown.numbers() == ["not detected", "OKS 1.000, score 0.605, correct"]
    shown.choose("other", "no other model")
    assert len(shown.numbers()) == 1


def test_keys_and_the_address(shown: Browser) -> None:
    shown.press("c")
    assert shown.page.evaluate("document.getElementById('class').selectedOptions[0].text") == "jitter (1)"
    shown.press("c", shift=True)
    before = shown.text("#who")
    shown.press("ArrowRight")
    assert shown.text("#who").startswith("2 of ")
    address = shown.page.evaluate("location.hash").removeprefix("#")
    after = shown.text("#who")
    shown.press("ArrowLeft")
    assert shown.text("#who") == before
    shown.open(address)
    assert shown.text("#who") == after
    shown.press("p")
    assert not shown.page.evaluate("document.getElementById('prediction').checked")


def test_a_marked_keypoint_shows_its_attention(shown: Browser) -> None:
    shown.choose("class", "jitter")
    shown.page.evaluate("document.querySelectorAll('#keypoints button')[5].click()")
    shown.settle()
    assert shown.text(".panel .marked") == "left shoulder: jitter, similarity 0.70; its attention is drawn"


def test_a_hostile_name_is_text(shown: Browser) -> None:
    shown.choose("class", "miss")
    assert HOSTILE in shown.text("#who")
    assert shown.page.evaluate("window.injected === undefined")


def test_a_finger_taps_a_thumbnail(shown: Browser) -> None:
    shown.page.resize(390, 844, touch=True)
    shown.open()
    place = shown.page.evaluate(
        "(() => {const b = document.querySelectorAll('#list button')[1]; b.scrollIntoView({block: 'center'});"
        " const r = b.getBoundingClientRect(); return [r.left + r.width / 2, r.top + r.height / 2]})()"
    )
    shown.page.tap(*place)
    shown.page.wait_for("document.getElementById('who').textContent.startsWith('2 of ')")


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("dark", [False, True])
def test_nothing_is_cut_off(shown: Browser, width: int, dark: bool) -> None:
    shown.page.resize(width, 850, dark=dark)
    shown.open()
    assert shown.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    unnamed = """[...document.querySelectorAll('button, select, input')].filter(one =>
        !(one.getAttribute('aria-label') || one.title || one.labels?.[0]?.textContent.trim()
          || one.textContent.trim())).length"""
    assert shown.page.evaluate(unnamed) == 0


def test_images_next_to_the_page_are_loaded_and_missed(
    shown: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transpose.reporting.error_browser.LARGEST_EMBEDDED", 1000)
    write_browser(browser_page(), tmp_path / "large.html", tmp_path / "large_images")
    (tmp_path / "large_images" / "00001.jpg").unlink()
    large = Browser(shown.page, tmp_path / "large.html")
    large.open("case=0&class=0")
    assert large.page.evaluate("document.querySelector('.empty').hidden")
    large.open("case=1&class=0")
    assert large.text(".empty") == "The image large_images/00001.jpg is missing."
    # The browser reports the missing file.
    shown.page.problems.clear()
