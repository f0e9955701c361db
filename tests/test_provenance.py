"""A result's code is what its entry module imports: a change there is noticed, and nothing else is."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from modulefinder import ModuleFinder
from pathlib import Path
from types import CodeType

import pytest

from transpose import provenance, syntax
from transpose.provenance import PACKAGE, PLUMBING, TRAINING, PackageCode, git_state, training_code

ROOT = PACKAGE.parent
RULES = "".join(path.read_text() for path in sorted((ROOT / "workflow" / "rules").glob("*.smk")))
ENTRIES = sorted({TRAINING, *(f"transpose.{name}" for name in re.findall(r'code_of\("([\w.]+)"\)', RULES))})
PREDICTION, EVALUATION = "transpose.evaluation.prediction_file", "transpose.evaluation.report"
BOXES, RENDERING = "transpose.data.box_sources", "transpose.synthetic.dataset"
SUBMISSION = "transpose.evaluation.submission"
TABLES, EXPLORER = "transpose.reporting.study", "transpose.reporting.viewer_models"
ERRORS, REPORT = "transpose.reporting.study_errors", "transpose.reporting.study_page.write"


class Copy:
    """A copy of our package that may be edited, and the digests of all entries in it."""

    def __init__(self, folder: Path) -> None:
        self.package = folder / "transpose"
        ignored = shutil.ignore_patterns("__pycache__", "*.jpg", "*.safetensors")
        shutil.copytree(PACKAGE, self.package, ignore=ignored)
        for name in ("body.npz", "scenery/panorama_forest.jpg"):
            (self.package / "synthetic" / name).write_bytes(b"a small file is read faster")
        self._cache = folder / "code.json"
        self.before = self.digests()

    def digests(self, entries: Iterable[str] = ENTRIES) -> dict[str, str]:
        code = PackageCode(self.package, self._cache)
        return {entry: code.digest(entry) for entry in entries}

    def noticed(self, edits: Mapping[str, bytes], by: Iterable[str] = ENTRIES) -> set[str]:
        """Those of the entries whose digest changes when files get this content; they get the old one back."""
        old = {name: (self.package / name).read_bytes() for name in edits}
        try:
            for name, content in edits.items():
                assert content != old[name]
                (self.package / name).write_bytes(content)
            after = self.digests(by)
        finally:
            for name, content in old.items():
                (self.package / name).write_bytes(content)
        return {entry for entry, digest in after.items() if digest != self.before[entry]}

    def noticed_when(self, name: str, old: str, new: str) -> set[str]:
        text = (self.package / name).read_text()
        assert text.count(old) == 1
        return self.noticed({name: text.replace(old, new).encode()})


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    return Copy(tmp_path_factory.mktemp("copy"))


@pytest.fixture(scope="module")
def closures() -> dict[str, set[str]]:
    """What every entry imports, found in the byte code that Python compiles and not in syntax trees."""
    modules = module_paths()
    graph = {name: set(compiled_imports(name, path, set(modules))) for name, path in modules.items()}
    return {entry: reachable(entry, graph) for entry in ENTRIES}


def module_paths() -> dict[str, Path]:
    paths = {path.relative_to(ROOT).with_suffix(""): path for path in sorted(PACKAGE.rglob("*.py"))}
    return {".".join(place.parts).removesuffix(".__init__"): path for place, path in paths.items()}


def edited(path: Path) -> bytes:
    return path.read_bytes() + b"\n_edited = 1\n"


def compiled_imports(module: str, path: Path, modules: set[str]) -> Iterator[str]:
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for kind, what in scanned(compile(path.read_bytes(), str(path), "exec")):
        if kind == "absolute_import":
            names, base = what
        elif kind == "relative_import":
            level, names, base = what
            base = ".".join(filter(None, [*package.split(".")[: package.count(".") + 2 - level], base]))
        else:
            continue
        for name in names or ():
            yield from {f"{base}.{name}" if f"{base}.{name}" in modules else base} & modules
        if not names:
            yield from {base} & modules


def scanned(code: CodeType) -> Iterator[tuple[str, tuple]]:
    yield from ModuleFinder().scan_opcodes(code)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from scanned(constant)


def reachable(entry: str, graph: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    ends = [entry]
    while ends:
        module = ends.pop()
        if module not in found:
            found.add(module)
            ends.extend(graph[module])
    return found


def test_what_decides_an_entry_is_all_that_it_imports_but_plumbing(closures: dict[str, set[str]]) -> None:
    code = PackageCode()
    assert {entry: code.closure(entry) for entry in ENTRIES} == {
        entry: closure - PLUMBING for entry, closure in closures.items()
    }


def test_a_change_of_any_module_is_noticed_by_what_it_decides(copy: Copy, closures: dict[str, set[str]]) -> None:
    by_size = sorted(ENTRIES, key=lambda entry: len(closures[entry]))
    for module, path in module_paths().items():
        importer = next((entry for entry in by_size if module in closures[entry] - PLUMBING), None)
        if importer is not None:
            assert copy.noticed({str(path.relative_to(PACKAGE)): edited(path)}, by=[importer]) == {importer}, module


def test_a_change_of_what_decides_nothing_is_noticed_by_nothing(copy: Copy, closures: dict[str, set[str]]) -> None:
    idle = module_paths().keys() - (set().union(*closures.values()) - PLUMBING)
    assert idle > PLUMBING
    edits = {str(path.relative_to(PACKAGE)): edited(path) for name, path in module_paths().items() if name in idle}
    assert copy.noticed(edits) == set()


def test_plumbing_is_no_longer_than_it_must_be(closures: dict[str, set[str]]) -> None:
    assert set().union(*closures.values()) >= PLUMBING


def test_a_changed_oks_is_noticed_by_what_evaluates(copy: Copy) -> None:
    noticed = copy.noticed_when("evaluation/matching.py", "2 * sigmas", "3 * sigmas")
    assert noticed >= {EVALUATION, TRAINING, "transpose.evaluation.resolutions", "transpose.evaluation.dtypes"}
    assert not noticed & {PREDICTION, BOXES, RENDERING, SUBMISSION, EXPLORER}


def test_a_changed_flip_is_noticed_by_what_predicts(copy: Copy) -> None:
    noticed = copy.noticed_when("skeleton.py", "    @cached_property\n    def flip", "    @property\n    def flip")
    assert noticed >= {PREDICTION, TRAINING, EXPLORER, "transpose.attention.statistics_report"}


@pytest.mark.parametrize(
    ("name", "by", "not_by"),
    [
        ("data/fields.py", {PREDICTION, EVALUATION, TRAINING, BOXES, SUBMISSION}, {RENDERING}),
        ("data/images.py", {PREDICTION, TRAINING, BOXES, EXPLORER}, {EVALUATION, RENDERING, SUBMISSION}),
        ("training/loss.py", {TRAINING}, {PREDICTION, EVALUATION, TABLES}),
        ("synthetic/pose.py", {RENDERING, "transpose.synthetic.part_labels"}, {PREDICTION, EVALUATION, TRAINING}),
        ("tracking/sync_run.py", {"transpose.tracking.sync_run"}, {"transpose.tracking.sync_study", TABLES, TRAINING}),
        ("cli/evaluation.py", set(), set(ENTRIES)),
    ],
)
def test_readers_and_steps_are_noticed_by_what_they_decide(
    copy: Copy, name: str, by: set[str], not_by: set[str]
) -> None:
    noticed = copy.noticed({name: edited(copy.package / name)})
    assert noticed >= by
    assert not noticed & not_by


def test_other_prose_and_layout_are_noticed_by_nothing(copy: Copy) -> None:
    edits = {}
    for path in copy.package.rglob("*.py"):
        reworded = re.sub(r'^( *)"""(?=\w)', r'\1"""In other words: ', path.read_text(), flags=re.MULTILINE)
        commented = re.sub(r"^( *)(?=return |raise )", r"\1# A remark.\n\n\1", reworded, flags=re.MULTILINE)
        edits[str(path.relative_to(copy.package))] = f"# A remark.\n\n{commented}".encode()
    assert copy.noticed(edits) == set()


@pytest.mark.parametrize(
    ("name", "by", "not_by"),
    [
        ("reporting/templates/tables.html", {TABLES, "transpose.reporting.dtypes"}, {EXPLORER, TRAINING}),
        ("reporting/templates/base.css", {TABLES, EXPLORER}, {TRAINING, PREDICTION}),
        ("reporting/templates/head.html", {TABLES, EXPLORER}, {TRAINING, PREDICTION}),
        ("reporting/study_page/templates/page.css", {REPORT}, {TABLES, EXPLORER, TRAINING}),
        ("reporting/study_page/templates/blocks.html", {REPORT}, {TABLES, EXPLORER, TRAINING}),
        ("reporting/templates/viewer.html", {EXPLORER}, {TABLES, TRAINING}),
        ("reporting/templates/viewer.js", {EXPLORER}, {TABLES, TRAINING}),
        ("reporting/templates/viewer.css", {EXPLORER, ERRORS}, {TABLES, TRAINING}),
        ("reporting/templates/drawing.js", {EXPLORER, ERRORS}, {TABLES, TRAINING}),
        ("reporting/templates/errors.html", {ERRORS}, {TABLES, TRAINING, PREDICTION}),
        ("synthetic/body.npz", {RENDERING}, {TABLES, EXPLORER, TRAINING, PREDICTION}),
        ("synthetic/scenery/panorama_forest.jpg", {RENDERING}, {TABLES, EXPLORER, TRAINING, PREDICTION}),
    ],
)
def test_a_data_file_is_noticed_by_what_uses_it(copy: Copy, name: str, by: set[str], not_by: set[str]) -> None:
    noticed = copy.noticed({name: (copy.package / name).read_bytes() + b"\n"})
    assert noticed >= by
    assert not noticed & not_by


def test_the_training_code_is_what_the_training_imports() -> None:
    assert re.fullmatch("[0-9a-f]{16}", training_code())
    assert training_code() == PackageCode().digest(TRAINING)


def test_rules_name_modules_that_commands_call() -> None:
    sources = [*(PACKAGE / "cli").rglob("*.py"), PACKAGE / "reporting" / "write_table.py"]
    commands = "".join(path.read_text() for path in sources)
    called = {f"{base}.{name}" for base, name in re.findall(r"from ([\w.]+) import (\w+)", commands)}
    called |= {name.rpartition(".")[0] for name in called}
    # The command imports these from their package.
    called |= {"transpose.tracking.sync_run", "transpose.tracking.sync_study"}
    assert set(ENTRIES) <= called


def test_code_trains_nothing_again() -> None:
    rules = dict(re.findall(r"^rule (\w+):\n(.*?)(?=^rule |\Z)", RULES, flags=re.MULTILINE | re.DOTALL))
    assert "code_of" not in rules["train"]
    assert "code_of" in rules["evaluate"]


FILES = {
    "__init__.py": "def __getattr__(name):\n    from transpose.a import f\n    return f",
    "a.py": "X = 1",
    "b.py": "X = 2",
    "data/__init__.py": "from transpose.b import X",
    "data/c.py": "X = 3",
    "data/deep/__init__.py": "",
    "data/deep/d.py": "X = 4",
    "errors.py": "from transpose.b import X",
    "data/table.csv": "1,2",
}


@pytest.mark.parametrize(
    ("place", "source", "expected"),
    [
        ("e", "import numpy", ""),
        ("e", "import transpose.a", "a"),
        ("e", "import transpose.a as module, transpose.b", "a b"),
        ("e", "from transpose.a import X", "a"),
        ("e", "from transpose import a", "a"),
        ("e", "from .a import X", "a"),
        ("e", "from . import a, b", "a b"),
        ("data.e", "from . import c", "data.c"),
        ("data.e", "from .deep.d import X", "data.deep.d"),
        ("data.e", "from ..a import X", "a"),
        ("data.deep.e", "from .. import c", "data.c"),
        ("data.deep.e", "from ...a import X", "a"),
        ("e", "def f():\n    if X:\n        from transpose.a import X", "a"),
        ("e", "from transpose.data.c import X", "data.c"),
        ("e", "import transpose.data.c", "data.c"),
        ("e", "from transpose.data import c", "data.c"),
        ("e", "from transpose.data import X", "data b"),
        ("e", "from transpose.data import *", "data b"),
        ("e", "from transpose import data", "data b"),
        ("e", "from transpose import load", " a"),
        ("e", "import transpose", " a"),
        ("e", "from transpose.errors import InputError", "b"),
        ("e", "'from transpose.a import X'", ""),
    ],
)
def test_imports_of_every_form_are_followed(tmp_path: Path, place: str, source: str, expected: str) -> None:
    package = write_package(tmp_path, {f"{place.replace('.', '/')}.py": source})
    names = {f"transpose.{name}".rstrip(".") for name in expected.split(" ")} if expected else set()
    assert PackageCode(package).closure(f"transpose.{place}") == names | {f"transpose.{place}"}


def test_imports_in_a_circle_come_to_an_end(tmp_path: Path) -> None:
    package = write_package(tmp_path, {"a.py": "import transpose.b", "b.py": "import transpose.a"})
    assert PackageCode(package).closure("transpose.a") == {"transpose.a", "transpose.b"}


@pytest.mark.parametrize(
    ("place", "source", "matters"),
    [
        ("data.e", 'open("table.csv")', True),
        ("e", 'open("data/table.csv")', True),
        ("data.deep.e", 'f(folder / "data/table.csv")', True),
        ("e", 'open("table.csv")', False),
        ("data.e", '"""table.csv"""', False),
        ("data.e", 'open("/table.csv")', False),
        ("data.e", 'open("table")', False),
    ],
)
def test_data_files_that_a_module_names_count(tmp_path: Path, place: str, source: str, matters: bool) -> None:
    package = write_package(tmp_path, {f"{place.replace('.', '/')}.py": source})
    before = PackageCode(package).digest(f"transpose.{place}")
    (package / "data" / "table.csv").write_text("1,3")
    assert (PackageCode(package).digest(f"transpose.{place}") != before) == matters


@pytest.mark.parametrize("entry", ["transpose.f", "transpose.data.table", "numpy", "a", ""])
def test_an_entry_that_is_no_module_is_refused(tmp_path: Path, entry: str) -> None:
    with pytest.raises(ValueError, match=f"no such module: {entry}"):
        PackageCode(write_package(tmp_path, {})).digest(entry)


def test_a_module_under_another_name_is_a_change(tmp_path: Path) -> None:
    package = write_package(tmp_path, {"e.py": "import transpose.a"})
    before = PackageCode(package).digest("transpose.e")
    (package / "a.py").rename(package / "g.py")
    (package / "e.py").write_text("import transpose.g")
    assert PackageCode(package).digest("transpose.e") != before


def write_package(folder: Path, files: Mapping[str, str]) -> Path:
    package = folder / "transpose"
    for name, text in (FILES | dict(files)).items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(text)
    return package


def test_every_version_of_python_gives_the_same_digest(tmp_path: Path) -> None:
    package = write_package(tmp_path, {"e.py": VERSIONS_DIFFER_ON})
    assert PackageCode(package).digest("transpose.e") == "007c02436fe7e819"


VERSIONS_DIFFER_ON = """
from __future__ import annotations
def f(a, /, b=None, *c, d: "int" = 2, **e) -> None:
    return f"{a!r:>{b}}" f"{{a}} {b=}" "end" f"{a:}" rf"\\d{a}" f"{a:{'<'}{b}}" f""
class C(object, metaclass=type):
    x: int = u"kind", b"x", 1e400, 2j, ..., None, "\u0378\U0001fae8"
    async def g(self):
        return [i async for i in z if i]
match x:
    case {"a": [1, *_], **rest} | C(y=None) if x: pass
"""


class TestCache:
    @pytest.fixture
    def package(self, tmp_path: Path) -> Path:
        return write_package(tmp_path, {"e.py": "import transpose.a, transpose.data.c"})

    def test_what_is_kept_is_not_parsed_again(self, package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        cache = package.parent / "new" / "code.json"
        digest = PackageCode(package, cache).digest("transpose.e")
        monkeypatch.setattr(syntax, "_parse", None)
        assert PackageCode(package, cache).digest("transpose.e") == digest

    def test_a_change_is_seen_through_it_even_one_of_equal_size_and_time(self, package: Path) -> None:
        cache = package.parent / "code.json"
        before = PackageCode(package, cache).digest("transpose.e")
        stat = (package / "a.py").stat()
        (package / "a.py").write_text("X = 9")
        os.utime(package / "a.py", ns=(stat.st_atime_ns, stat.st_mtime_ns))
        after = PackageCode(package, cache).digest("transpose.e")
        assert after != before
        assert after == PackageCode(package).digest("transpose.e")

    @pytest.mark.parametrize(
        "content", [b"", b"{", b"\xff", b"[]", b'{"reader_sha256": "", "modules": {"transpose.a": 1}}']
    )
    def test_a_broken_one_costs_nothing_but_time(self, package: Path, content: bytes) -> None:
        cache = package.parent / "code.json"
        digest = PackageCode(package, cache).digest("transpose.e")
        whole = cache.read_bytes()
        cache.write_bytes(content)
        assert PackageCode(package, cache).digest("transpose.e") == digest
        assert cache.read_bytes() == whole

    def test_one_by_another_version_is_not_believed(self, package: Path) -> None:
        cache = package.parent / "code.json"
        digest = PackageCode(package, cache).digest("transpose.e")
        (package / "a.py").write_text("X = 9")
        lie = re.sub('"reader_sha256":"[0-9a-f]+"', '"reader_sha256":"0"', cache.read_text())
        cache.write_text(lie)
        assert PackageCode(package, cache).digest("transpose.e") != digest

    def test_where_it_cannot_be_written_there_is_none(self, package: Path) -> None:
        in_the_way = package.parent / "in_the_way"
        in_the_way.touch()
        for cache in (in_the_way / "code.json", package):
            assert PackageCode(package, cache).digest("transpose.e") == PackageCode(package).digest("transpose.e")


class TestGitState:
    @pytest.fixture
    def package(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A made-up package in the place of ours."""
        package = write_package(tmp_path, {})
        monkeypatch.setattr(provenance, "PACKAGE", package)
        return package

    def test_in_a_checkout(self, package: Path) -> None:
        def git(*arguments: str) -> str:
            command = ["git", "-C", str(package), "-c", "user.name=a", "-c", "user.email=a@example.org", *arguments]
            return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

        git("init", "--quiet")
        git("add", ".")
        git("commit", "--quiet", "--message", "first")
        commit = git("rev-parse", "HEAD")
        assert git_state() == {"git": commit, "dirty": False}
        (package / "scratch.txt").touch()
        assert git_state() == {"git": commit, "dirty": False}
        (package / "a.py").write_text("edited")
        assert git_state() == {"git": commit, "dirty": True}

    def test_in_another_repository(self, package: Path) -> None:
        subprocess.run(["git", "init", "--quiet", str(package.parent)], check=True)
        assert git_state() == {"git": None, "dirty": None}

    def test_outside_of_a_checkout(self, package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(package.parent))
        assert git_state() == {"git": None, "dirty": None}

    def test_without_git(self, package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(package))
        assert git_state() == {"git": None, "dirty": None}


def test_source_files_are_all_that_an_import_reads(tmp_path: Path) -> None:
    entry = "transpose.pose_model"
    for file in PackageCode().source_files(entry):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(PACKAGE.parent / file, tmp_path / file)
    code = f"import {entry} as found; print(found.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": "."},
        capture_output=True,
        check=True,
    )
    assert Path(done.stdout.decode().strip()).resolve() == tmp_path.resolve() / "transpose" / "pose_model.py"
    assert not (tmp_path / "transpose" / "training").exists()
