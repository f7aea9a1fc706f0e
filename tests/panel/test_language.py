"""Every sentence that people read is marked, and is said in Turkish."""

from __future__ import annotations

import ast
import json
import re
import runpy
from collections import defaultdict
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from jinja2 import Environment, nodes
from unibos.kernel import errors
from unibos.kernel.jobs import said, unsaid
from unibos.kernel.words import T
from unibos.panel import i18n

ROOT = Path(__file__).resolve().parents[2]
APP = ROOT / "app" / "unibos"
MESSAGES = runpy.run_path(str(ROOT / "scripts" / "messages"))
TEMPLATES = sorted(APP.rglob("templates/*.html"))
JINJA = Environment(extensions=["jinja2.ext.i18n", "jinja2.ext.do"])
MARKS = ("_", "gettext", "ngettext")
NAMES = {"UNIBOS", "Python", "Tasmota", "ESPHome", "Zigbee2MQTT", "Shelly", "GB", "MB", "XXXX"}  # said alike in every language
READ_ALOUD = ("title", "aria-label", "placeholder", "alt")
WORDED = {"title", "label", "note", "help", "error", "text", "caption", "word", "verb", "detail", "keep"}  # parameters of the components


@pytest.fixture(scope="module")
def sentences() -> Catalog:
    return MESSAGES["extract"]()


@pytest.fixture(scope="module")
def turkish() -> Catalog:
    return MESSAGES["read"](MESSAGES["LOCALE"] / "tr.po")


def words(text: str) -> list[str]:
    return [word for word in re.findall(r"[^\W\d_]{2,}[\w]*", text) if word not in NAMES]


def path(file: Path) -> str:
    return str(file.relative_to(APP))


# --- translations ---------------------------------------------------------------------------------------------------------

def test_every_sentence_is_translated_and_no_translation_is_left_over(sentences: Catalog, turkish: Catalog) -> None:
    assert len(sentences) > 500
    assert MESSAGES["problems"](sentences, turkish) == []


def test_what_is_wrong_with_a_translation_is_found() -> None:
    here, there = Catalog(), Catalog(locale="tr")
    for message in ("new", "empty", "fuzzy", "Add %(name)s", ("%(num)s job", "%(num)s jobs"), "fine"):
        here.add(message)
    there.add("gone", "gitti")
    there.add("empty", "")
    there.add("fuzzy", "belki", flags=["fuzzy"])
    there.add("Add %(name)s", "%(ad)s ekle")
    there.add(("%(num)s job", "%(num)s jobs"), ("%(num)s iş", ""))
    there.add("fine", "iyi")
    assert MESSAGES["problems"](here, there) == [
        "no sentence any more: 'gone'", "not translated: 'empty'", "not translated: 'fuzzy'", "other parameters: 'Add %(name)s'",
        "not translated: ('%(num)s job', '%(num)s jobs')", "not in the file: 'new'"]


def test_update_keeps_the_header_and_what_was_translated(tmp_path: Path) -> None:
    file, here = tmp_path / "tr.po", Catalog()
    head = '# our words\nmsgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n"Plural-Forms: nplurals=2; plural=(n > 1);\\n"'
    file.write_text(head + '\n\nmsgid "old"\nmsgstr "eski"\n\nmsgid "gone"\nmsgstr "gitti"\n', encoding="utf-8")
    here.add("old", locations=[("b.py", None)])
    here.add(("%(num)s a", "%(num)s b"), locations=[("a.py", None)])
    MESSAGES["update"](file, here)
    assert file.read_text(encoding="utf-8") == (
        head + '\n\n#: a.py\n#, python-format\nmsgid "%(num)s a"\nmsgid_plural "%(num)s b"\nmsgstr[0] ""\nmsgstr[1] ""\n'
        '\n#: b.py\nmsgid "old"\nmsgstr "eski"\n')


def test_translations_can_be_filled_in_and_join_nothing_to_a_parameter(turkish: Catalog) -> None:
    for message in (m for m in turkish if m.id):
        for form in (message.string,) if isinstance(message.string, str) else message.string:
            assert form % defaultdict(str) is not None, message.id  # a lone % would break the page
            assert not re.search(r"%\(\w+\)s['’]?[^\W\d_]", form), f"a suffix cannot fit every name: {form}"
            assert set(re.findall(r"\{\w+\}", form)) == set(re.findall(r"\{\w+\}", str(message.id))), form  # what scripts fill in
            assert form == form.strip() and "..." not in form, form


def test_the_panel_reads_the_file_and_speaks_turkish(turkish: Catalog) -> None:
    spoken = i18n.catalogue("tr")
    assert spoken.gettext("Devices") == "Cihazlar"
    assert [spoken.ngettext("%(num)s job failed.", "%(num)s jobs failed.", n) % {"num": n} for n in (0, 1, 5)] == [
        "0 iş başarısız oldu.", "1 iş başarısız oldu.", "5 iş başarısız oldu."]
    for message in turkish:
        if isinstance(message.id, str) and message.id:
            assert spoken.gettext(message.id) == message.string
        elif message.id:
            assert tuple(spoken.ngettext(*message.id, n) for n in (1, 2)) == message.string
    nested = T("The value template uses %(what)s, which is not supported.", what=T("the filter “%(name)s”", name="tojson"))
    for sentence in (nested, unsaid(json.loads(json.dumps(said(nested))))):  # as it is, and as a job keeps it
        assert sentence.render(spoken.gettext) == "Değer şablonunda desteklenmeyen bir öğe var: “tojson” filtresi."
    assert i18n.catalogue("en").gettext("Devices") == "Devices"


def test_turkish_letters_are_found_however_they_are_typed() -> None:
    for text, typed in (("İşler ve işçiler", "iş"), ("Isıtıcı", "ısı"), ("Isıtıcı", "ISI"), ("ışık", "IŞIK"), ("IRIS", "iris")):
        assert i18n.findable(typed) in i18n.findable(text)


# --- marks in templates ---------------------------------------------------------------------------------------------------

class Visible(HTMLParser):
    """Collects what a reader sees or hears of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_data(self, data: str) -> None:
        self.found += words(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in READ_ALOUD:
                self.found += words(value or "")


def visible(source: str) -> list[str]:
    parser = Visible()
    parser.feed("".join(value if kind == "data" else " " if kind.endswith("_begin") else "" for _line, kind, value in JINJA.lex(source)))
    parser.close()
    return parser.found


def test_what_is_visible_is_found() -> None:
    assert visible("<p title=\"Old {{ x }}\">{{ _('marked') }} 5 GB {# no #}<b class='no'>{% if no %}bare{% endif %}</b></p>") == ["Old", "bare"]


@pytest.mark.parametrize("file", TEMPLATES, ids=path)
def test_templates_show_no_unmarked_word(file: Path) -> None:
    assert visible(file.read_text(encoding="utf-8")) == []


def literals(node: nodes.Node) -> Iterator[str]:
    """The strings that an expression can give, but for those that are marked."""
    if isinstance(node, nodes.Const) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, (nodes.CondExpr, nodes.Or, nodes.And, nodes.Concat, nodes.Add, nodes.TemplateData)):
        inner = (node.expr1, node.expr2) if isinstance(node, nodes.CondExpr) else node.iter_child_nodes()
        for child in inner:
            yield from literals(child) if child is not None else ()


def components() -> dict[str, list[str]]:
    tree = JINJA.parse((APP / "panel" / "templates" / "components.html").read_text(encoding="utf-8"))
    return {macro.name: [arg.name for arg in macro.args] for macro in tree.find_all(nodes.Macro)}


def unmarked(source: str) -> list[str]:
    """Words that are handed to a component, or stand as a label, without a mark; marks of what is no literal."""
    found, parts = [], components()
    for node in JINJA.parse(source).find_all((nodes.Call, nodes.Dict)):
        given: list[tuple[str, nodes.Node]] = []
        if isinstance(node, nodes.Dict):
            given = [(str(pair.key.value), pair.value) for pair in node.items if isinstance(pair.key, nodes.Const)]
        elif isinstance(node.node, nodes.Name) and node.node.name in MARKS:
            marked = node.args[:2] if node.node.name == "ngettext" else node.args[:1]
            found += ["a mark needs a literal" for arg in marked if not isinstance(arg, nodes.Const)]
        elif isinstance(node.node, nodes.Getattr) and isinstance(node.node.node, nodes.Name) and node.node.node.name == "ui" \
                and node.node.attr not in ("code", "key"):
            given = [*zip(parts[node.node.attr], node.args, strict=False), *((pair.key, pair.value) for pair in node.kwargs)]
        found += [word for name, value in given if name in WORDED for literal in literals(value) for word in words(literal)]
    return found


def test_what_is_unmarked_is_found() -> None:
    assert sorted(unmarked("{{ ui.button('Save', 'primary') }}{{ ui.field('name', _('x'), help='so ' ~ b if c else _('d')) }}{{ _(e) }}"
                           "{{ ui.table(_('f'), [{'id': 'name', 'label': 'Name'}], g) }}{{ ui.act('/x/', h or 'Go', {'act': 'go'}) }}")
                  ) == ["Go", "Name", "Save", "a mark needs a literal", "so"]


@pytest.mark.parametrize("file", [f for f in TEMPLATES if f.name != "dev_components.html"], ids=path)  # that one shows made-up names
def test_templates_hand_only_marked_words_to_components(file: Path) -> None:
    assert unmarked(file.read_text(encoding="utf-8")) == []


# --- marks in Python ------------------------------------------------------------------------------------------------------

ERRORS = {cls.__name__ for cls in errors.every() if cls.__module__ == "unibos.kernel.errors"}


def name_of(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else call.func.attr if isinstance(call.func, ast.Attribute) else ""


def bare(node: ast.expr | None) -> bool:
    """Whether an expression gives a plain text where a sentence is wanted."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str) and bool(words(node.value))
    if isinstance(node, ast.BoolOp):
        return any(map(bare, node.values))
    if isinstance(node, ast.IfExp):
        return bare(node.body) or bare(node.orelse)
    if isinstance(node, ast.Dict):
        return any(map(bare, node.values))
    return isinstance(node, (ast.JoinedStr, ast.BinOp)) or (isinstance(node, ast.Call) and name_of(node) == "format")


def plain(source: str) -> list[str]:
    """Lines where people would get a text that nobody can translate."""
    found = []
    for call in ast.walk(ast.parse(source)):
        if not isinstance(call, ast.Call):
            continue
        name, named = name_of(call), {k.arg: k.value for k in call.keywords}
        if name in ERRORS:
            given = [*call.args[:1], named.get("text"), named.get("fields")]
        elif name == "toast":
            given = [*call.args[1:2], named.get("text")]
        elif name in ("Feature", "Nav", "Command", "JobType", "Export", "Setting"):
            at = {"Nav": 2, "Command": 2, "JobType": 3, "Export": 1, "Setting": 3}.get(name)
            given = [named.get(k) for k in ("title", "label", "help", "sentence", "why")]
            given += call.args[at:at + 1] if at else []
        else:
            given = []
        if name == "T" and not (call.args and isinstance(call.args[0], ast.Constant) and isinstance(call.args[0].value, str)):
            found.append(f"{call.lineno}: T marks only a literal")
        found += [f"{call.lineno}: {ast.unparse(text)}" for text in given if bare(text)]
    return found


def test_plain_texts_are_found() -> None:
    assert plain('Invalid("no")\nerrors.NotFound(f"{x}")\nInvalid(T("a"), fields={"b": "too long"})\nT(x)\ntoast("/", "Done")\n'
                 'Invalid(T("a"), fields={"b": T("c")})\nConflict(answer or T("d"))\nNav("home", "/", "Home")') == [
        "1: 'no'", "2: f'{x}'", "3: {'b': 'too long'}", "4: T marks only a literal", "5: 'Done'", "8: 'Home'"]


def test_python_says_only_marked_sentences() -> None:
    found = [f"{path(file)}:{line}" for file in sorted(APP.rglob("*.py")) if "wire" not in file.parts
             for line in plain(file.read_text(encoding="utf-8"))]
    assert found == []
