"""The book: all of the lecture is in it, no number in its prose was typed, and a browser shows it."""

import ast
import html.parser
import subprocess
import sys

import jax
import numpy as np
import pytest

import browser
from places import ROOT
from seqjax.data.text.vectorizer import Vectorizer
from seqjax.errors import UserError
from seqjax.layers import SimpleRNNCell
from seqjax.lecture import book, chapters, formula, page, prose, statements
from seqjax.lecture.chapters import gates, kinds, remedies, vanishing
from seqjax.lecture.known import Known
from seqjax.lecture.section import TASTE
from seqjax.report.verdicts import NOT_RUN

LECTURE = ROOT.parent / "shared/lecture/deep_sequence_modeling.txt"
FOLDER = ROOT / "seqjax/lecture"


class Checker(html.parser.HTMLParser):
    """Every tag is closed in order; collects addresses and names."""

    VOID = ("meta", "br", "img", "image")

    def __init__(self, text):
        super().__init__()
        self.open, self.addresses, self.names = [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.handle_startendtag(tag, attrs)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.addresses += [value for name, value in attrs if name in ("src", "href", "xlink:href")]
        self.names += [value for name, value in attrs if name == "id"]

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag


def check(text):
    found = Checker(text)
    assert len(set(found.names)) == len(found.names)
    outside = [a for a in found.addresses if not a.startswith(("#", "data:"))]
    assert outside == []
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return book.write(tmp_path_factory.mktemp("book"), None, None, str(ROOT / "nowhere"), False)


def test_a_chapter_by_itself(tmp_path):
    text = book.write(tmp_path, "gates", None, str(tmp_path), False).read_text()
    found = check(text)
    assert {"gates", "gates-1", "gates-1-picture", "index"} <= set(found.names)
    assert "<math" in text
    assert "belt(f: float" in text
    assert "So by construction".lower() in text
    with pytest.raises(UserError, match="--chapter=grates is unknown; choose one of kinds, temperature"):
        book.write(tmp_path, "grates", None, None, False)


def test_without_results_nothing_is_made_up(tmp_path):
    known = Known(None, tmp_path)
    made = {
        name: (module := chapters.load(name), module.sections(known)) for name in ("art", "improving", "pretrained")
    }
    text = page.whole(made, book.said(known), known.verdicts)
    check(text)
    assert "0 finished runs" in text
    assert "not run" in text
    assert "(not measured here)" in text
    assert {own.verdict.kind for own in made["improving"][1][1:]} == {NOT_RUN}


@pytest.mark.skipif(not LECTURE.exists(), reason="the lecture's text is not at hand")
def test_every_line_of_the_lecture_has_a_statement_and_every_statement_a_line():
    lines = list(statements.lines_of(LECTURE.read_text()))
    assert len(lines) > 250
    assert [line for line in lines if statements.key_of(line) is None] == []
    assert {statements.key_of(line) for line in lines} == set(statements.STATEMENTS)
    said = [statements.normal(line) for line in lines]
    marks = [mark for own in statements.STATEMENTS.values() for mark in own]
    assert [mark for mark in marks if not any(statements.normal(mark) in line for line in said)] == []


def test_every_statement_stands_in_a_chapter():
    found = set()
    for name in chapters.ORDER:
        tree = ast.parse((FOLDER / f"chapters/{name}.py").read_text())
        found |= {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    assert set(statements.STATEMENTS) - found == set()


@pytest.mark.parametrize("folder", ["chapters", "pictures"])
def test_no_number_in_the_prose_was_typed(folder):
    typed = []
    for path in sorted((FOLDER / folder).glob("*.py")):
        tree = ast.parse(path.read_text())
        documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        names = {id(pair) for node in ast.walk(tree) if isinstance(node, ast.Dict) for pair in node.keys}
        for node in ast.walk(tree):
            text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
            code = "\\" in text or '="' in text or id(node) in documentation | names
            prosaic = " " in text.strip() and not code
            typed += [(path.name, word) for word in (prose.typed_digits(text) if prosaic else [])]
    assert typed == []
    assert prose.typed_digits("It is 2.62 in `jena_1` and $x_1$, or 87 %.") == ["2.62", "87"]


def test_formulas():
    assert formula.mathml("a_1^2") == "<math><msubsup><mi>a</mi><mn>1</mn><mn>2</mn></msubsup></math>"
    assert formula.mathml(r"\frac{a}{b+1}", block=True).startswith('<math display="block"><mfrac><mi>a</mi><mrow>')
    assert "<munder><mo>∑</mo>" in formula.mathml(r"\sum_{k \le t} x_k")
    assert formula.mathml(r"a \\ b").count("<math>") == 2
    for wrong in (r"\unknown", "a}", "{a", "_a", r"\frac{a}", r"\text a"):
        with pytest.raises(UserError, match="formula "):
            formula.mathml(wrong)


def test_a_state_sees_the_order():
    words = np.random.default_rng(0).normal(size=(6, 3))
    np.testing.assert_allclose(kinds.bag(words), kinds.bag(words[::-1]), rtol=1e-12)
    assert np.abs(kinds.chain(words) - kinds.chain(words[::-1])).max() > 0.01


def test_a_bag_of_words_is_blind_to_order():
    fitted = Vectorizer.fit(["the cat sat", "a dog"], encoding="multi_hot")
    np.testing.assert_array_equal(fitted(["the cat sat"]), fitted(["sat the cat"]))


def test_the_belt_carries_and_halves():
    goods = np.random.default_rng(0).normal(size=1000)
    assert set(gates.belt(1.0, 0.0, goods, c=0.3)) == {0.3}
    np.testing.assert_allclose(gates.belt(0.5, 1.0, np.array([1.0, 0, 0])), [1, 0.5, 0.25])
    assert gates.half_life(0.5) == pytest.approx(1)
    assert gates.forget_gate(0.0) == 0.5


def test_the_norms_of_a_linear_cell_are_powers():
    with jax.enable_x64(True):
        params = {"kernel": np.ones((4, 3)), "recurrent_kernel": 0.5 * np.eye(3), "bias": np.zeros(3)}
        cell = SimpleRNNCell(3, "linear", param_dtype=np.float64)
        np.testing.assert_allclose(vanishing.norms(cell, 4, params=params), 0.5 ** np.arange(1, 5), rtol=1e-12)


def test_remedies_in_one_formula_each():
    long, short = np.array([30.0, 40.0]), np.array([3e-4, 4e-4])
    np.testing.assert_allclose(remedies.scaled_to(long, 1.0), remedies.scaled_to(short, 1.0))
    np.testing.assert_allclose(remedies.adam_step(long), 1e-3, rtol=1e-6)


@pytest.mark.slow
def test_the_whole_book(whole):
    text = whole.read_text()
    found = check(text)
    for name in chapters.ORDER:
        assert f"#{name}" in found.addresses
        assert name in found.names
    assert {address[1:] for address in found.addresses if address.startswith("#")} <= set(found.names)
    assert "did not hold" in text
    assert "nan" not in {word.strip(".,") for word in text.split()}


@pytest.mark.slow
def test_the_index_names_functions_tests_and_verdicts_that_there_are():
    known = Known(book.KEPT, ROOT / "nowhere")
    made = {name: (module := chapters.load(name), module.sections(known)) for name in chapters.ORDER}
    entries = list(page.entries(made))
    assert {key for key, *_ in entries} == set(statements.STATEMENTS)
    for _, chapter, _, own, pictured in entries:
        assert own.function is not None, own.title
        file, _, name = own.test.partition("::")
        assert (ROOT / file).is_file(), own.test
        assert f"def {name}" in (ROOT / file).read_text() if name else True, own.test
        assert own.verdict.said, own.title
        assert pictured.picture or own.verdict.kind == TASTE or chapter == "text", own.title


@pytest.mark.slow
@pytest.mark.skipif(browser.find() is None, reason="no browser found: set SEQJAX_BROWSER")
@pytest.mark.parametrize("width", [400, 1400])
def test_a_browser_shows_the_book(whole, tmp_path, width):
    with browser.opened(whole, tmp_path / "profile", width) as (shown, asked):
        shown.send("Emulation.setDeviceMetricsOverride", shown.session, width=width, height=900, deviceScaleFactor=1,
                   mobile=width < 600)  # fmt: skip
        assert shown.evaluate("document.documentElement.scrollWidth") <= width
        assert shown.evaluate("document.querySelectorAll('main > section').length") == len(chapters.ORDER) + 2
        assert shown.evaluate("document.querySelectorAll('math').length") > 50
        assert shown.evaluate("[...document.querySelectorAll('figure svg')].every(one => one.clientHeight > 80)")
        grounds = []
        for scheme in ("light", "dark"):
            features = [{"name": "prefers-color-scheme", "value": scheme}]
            shown.send("Emulation.setEmulatedMedia", shown.session, features=features)
            grounds.append(shown.evaluate("getComputedStyle(document.body).backgroundColor"))
        assert grounds[0] == "rgb(255, 255, 255)" != grounds[1]
    assert {address.partition(":")[0] for address in asked} <= {"file", "data"}


def test_the_command_line(tmp_path):
    run = lambda *flags: subprocess.run(
        [sys.executable, "-m", "seqjax.lecture", *flags], capture_output=True, text=True, cwd=tmp_path
    )
    done = run()
    assert done.returncode == 2
    assert done.stderr == "seqjax: give --output=DIR to write the book, or --check=FILE to check an exercise\n"
