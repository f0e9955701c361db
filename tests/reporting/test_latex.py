"""LaTeX tables: TeX compiles them where it is installed; everywhere their structure is checked."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.helpers.sample_results import ablation, demo_rows, published
from transpose.reporting.ablation_table import ablation_table
from transpose.reporting.export import write_tex
from transpose.reporting.sections import Section, ablation_sections, comparison_sections
from transpose.reporting.tables import comparison_table

DOCUMENT = r"""\documentclass{article}
\usepackage[landscape,margin=1cm]{geometry}
\usepackage{booktabs}
\begin{document}
\input{tables}
\end{document}
"""
HOSTILE = r"50 % of $x_1^2$ & {more} \input{secret} ~ # − ± × – < >"
UNESCAPED = re.compile(r"(?<!\\)[%#_^~]")
LATEX = shutil.which("pdflatex")


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    sections = [
        *comparison_sections(comparison_table(demo_rows(), published())),
        *ablation_sections(ablation_table([ablation(0.01, (-0.01, 0.03))])),
        Section(HOSTILE, HOSTILE, ("Model", HOSTILE), ((HOSTILE, "1.0"),)),
    ]
    write_tex(tmp_path / "tables.tex", sections)
    return tmp_path / "tables.tex"


def test_environments_braces_and_columns_agree(tables: Path) -> None:
    text = tables.read_text()
    for name in ("table", "tabular"):
        assert text.count(rf"\begin{{{name}}}") == text.count(rf"\end{{{name}}}") > 0
    bare = text.replace(r"\{", "").replace(r"\}", "")
    assert bare.count("{") == bare.count("}")
    for columns, body in re.findall(r"\\begin\{tabular\}\{(lr*)\}(.*?)\\end\{tabular\}", text, re.DOTALL):
        for row in re.findall(r"^ +(.*) \\\\$", body, re.MULTILINE):
            assert len(re.findall(r"(?<!\\)&", row)) == len(columns) - 1


def test_names_are_text(tables: Path) -> None:
    text = tables.read_text()
    assert r"\textbackslash{}input\{secret\}" in text
    assert not UNESCAPED.search(text)
    assert text.isascii()


@pytest.mark.skipif(LATEX is None, reason="needs pdflatex (Debian: apt install texlive-latex-extra)")
def test_tex_compiles_the_tables(tables: Path) -> None:
    assert LATEX is not None
    (tables.parent / "document.tex").write_text(DOCUMENT)
    command = [LATEX, "-interaction=nonstopmode", "-halt-on-error", "document.tex"]
    done = subprocess.run(command, cwd=tables.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
