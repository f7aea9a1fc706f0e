"""The Reader port: one contract for fake and real, then what tesseract, poppler and Pillow do with good and hostile files."""

import io
import os
import stat
import time

import pytest
from PIL import Image
from unibos.adapters import reader as module
from unibos.adapters.memory.reader import MemoryReader
from unibos.adapters.reader import JPEG, PDF, PNG, TIFF, SubprocessReader, missing, sniff
from unibos.kernel.errors import Invalid, NotFound, Unavailable

from tests.adapters.documents import drawn, locked_pdf, pdf, png_claiming, saved

TURKISH = ["İstanbul Çağrı ılık şölen ığdır", "Pijamalı hasta yağız şoföre", "çabucak güvendi. ÜÇ ÖĞÜN"]
ENGLISH = ["Invoice total 1,234.50", "The quick brown fox jumps", "over the lazy dog 0123456789"]


@pytest.fixture
def real(tmp_path):
    gaps = missing()
    if gaps:
        pytest.skip(f"not installed: {sorted({package for _program, package, _why in gaps})}")
    yield SubprocessReader(tmp_path / "work")
    work = tmp_path / "work"
    assert not work.exists() or not list(work.iterdir()), "a working directory was left behind"


@pytest.fixture
def file(tmp_path):
    def write(content):
        path = tmp_path / "-a name; with $(things).exe"
        path.write_bytes(content)
        return path

    return write


def error_rate(got, wanted):
    """Edit distance by character over the wanted length, spaces and line ends being one space."""
    got, wanted = " ".join(got.split()), " ".join(" ".join(wanted).split())
    row = list(range(len(wanted) + 1))
    for i, a in enumerate(got, 1):
        diagonal, row[0] = row[0], i
        for j, b in enumerate(wanted, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (a != b))
    return row[-1] / len(wanted)


# -- the contract --------------------------------------------------------------------------------------------------------

PAGES = (["Erste Seite mit etwas Text 1"], ["Second page with some text 2"])


@pytest.fixture(params=["memory", "real"])
def reader(request):
    if request.param == "real":
        return request.getfixturevalue("real")
    fake = MemoryReader()
    fake.teach(pdf(PAGES), [" ".join(lines) for lines in PAGES])
    return fake


def test_pages_and_text(reader, file):
    path = file(pdf(PAGES))
    assert reader.pages(path, PDF) == 2
    assert [reader.text(path, PDF, n, "tur+eng").split() for n in (1, 2)] == [" ".join(lines).split() for lines in PAGES]
    assert reader.render(path, PDF, 1, 100)[:4] == b"RIFF"
    assert reader.render(path, PDF, 1, 100) != reader.render(path, PDF, 2, 100)


@pytest.mark.parametrize("page", [0, -1, 3, 2001, 10**9])
def test_no_such_page(reader, file, page):
    with pytest.raises(Invalid, match="no such page"):
        reader.text(file(pdf(PAGES)), PDF, page, "eng")
    with pytest.raises(Invalid, match="no such page"):
        reader.render(file(pdf(PAGES)), PDF, page, 100)


def test_a_damaged_document_is_said(reader, file):
    path = file(b"%PDF-1.4\ngarbage")
    for ask in (lambda: reader.pages(path, PDF), lambda: reader.text(path, PDF, 1, "eng"), lambda: reader.render(path, PDF, 1, 100)):
        with pytest.raises(Invalid, match="damaged"):
            ask()


# -- what is read ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("lines", "languages"), [(TURKISH, "tur"), (ENGLISH, "eng"), (TURKISH + ENGLISH, "tur+eng"), (ENGLISH, "eng+xxx")])
def test_a_picture_is_read(real, file, lines, languages):
    path = file(saved(drawn(lines), "PNG"))
    assert real.pages(path, PNG) == 1
    assert error_rate(real.text(path, PNG, 1, languages), lines) <= 0.02


def test_a_turned_photograph_is_read_upright(real, file):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees to see it
    path = file(saved(drawn(TURKISH, mode="RGB").rotate(90, expand=True), "JPEG", quality=90, exif=exif))
    assert error_rate(real.text(path, JPEG, 1), TURKISH) <= 0.02
    shown = Image.open(io.BytesIO(real.render(path, JPEG, 1, 320)))
    assert shown.format == "WEBP" and shown.width == 320 > shown.height


def test_a_photograph_of_24_megapixels_is_read(real, file):
    image = Image.new("L", (4000, 6000), "white")
    image.paste(drawn(ENGLISH, size=110, width=3800, margin=150), (50, 300))
    path = file(saved(image, "JPEG"))
    assert error_rate(real.text(path, JPEG, 1), ENGLISH) <= 0.02


@pytest.mark.parametrize("mode", ["1", "P", "LA", "RGBA", "I;16"])
def test_every_kind_of_pixel_is_read(real, file, mode):
    page = drawn(["Invoice total 1,234.50"])
    if mode in ("LA", "RGBA"):  # black on nothing: without a white ground it is black on black
        image = Image.new(mode, page.size, (0,) * len(mode))
        image.putalpha(page.point(lambda value: 255 - value))
    elif mode == "I;16":
        image = Image.frombytes(mode, page.size, b"".join(bytes([0, value]) for value in page.tobytes()))
    else:
        image = page.convert(mode)
    path = file(saved(image, "PNG"))
    assert real.text(path, PNG, 1, "eng") == "Invoice total 1,234.50"
    assert Image.open(io.BytesIO(real.render(path, PNG, 1, 64))).convert("L").getpixel((1, 1)) > 250


def test_each_page_of_a_tiff_is_read(real, file):
    first, second = drawn(["First page 111"]), drawn(["Second page 222"])
    path = file(saved(first, "TIFF", save_all=True, append_images=[second], compression="tiff_lzw"))
    assert real.pages(path, TIFF) == 2
    assert [real.text(path, TIFF, n, "eng") for n in (1, 2)] == ["First page 111", "Second page 222"]
    with pytest.raises(Invalid, match="no such page"):
        real.text(path, TIFF, 3)


def test_a_scanned_pdf_is_read(real, file):
    path = file(saved(drawn(TURKISH), "PDF", save_all=True, append_images=[drawn(ENGLISH)], resolution=150))
    assert real.pages(path, PDF) == 2
    assert error_rate(real.text(path, PDF, 1), TURKISH) <= 0.02
    assert error_rate(real.text(path, PDF, 2), ENGLISH) <= 0.02


def test_an_empty_page_has_no_text(real, file):
    assert real.text(file(saved(Image.new("L", (600, 800), "white"), "PNG")), PNG, 1).strip() == ""
    assert real.text(file(pdf([[]])), PDF, 1).strip() == ""


def test_a_preview_keeps_its_bounds(real, file):
    for content, kind in [(saved(Image.new("L", (10, 3000), "white"), "PNG"), PNG), (pdf([["x"]], size=(20, 14400)), PDF)]:
        shown = Image.open(io.BytesIO(real.render(file(content), kind, 1, 200)))
        assert shown.width <= 200 and shown.height <= 800
    assert Image.open(io.BytesIO(real.render(file(pdf([["x"]], size=(500, 20))), PDF, 1, 10**9))).width == 4096
    assert Image.open(io.BytesIO(real.render(file(pdf(PAGES)), PDF, 1, -5))).width == 16


# -- what is refused -------------------------------------------------------------------------------------------------------

def test_the_kind_is_told_by_the_content(real, file, tmp_path):
    page = drawn(["x"])
    for kind, media_type in [("PNG", PNG), ("JPEG", JPEG), ("TIFF", TIFF), ("PDF", PDF)]:
        assert sniff(file(saved(page, kind))) == media_type
    for content in (b"", b"GIF89a", b"<svg/>", b"\x89PN", b"x" * 5000 + b"%PDF-"):
        assert sniff(file(content)) is None
    with pytest.raises(NotFound):
        sniff(tmp_path / "absent")
    with pytest.raises(Invalid, match="not what it says"):
        real.pages(file(saved(page, "PNG")), JPEG)
    with pytest.raises(Invalid, match="Only PDF"):
        real.pages(file(b"GIF89a"), "image/gif")


def test_a_password_is_said(real, file):
    path = file(locked_pdf(["A secret line that nobody reads"], user=b"geheim"))
    for ask in (lambda: real.pages(path, PDF), lambda: real.text(path, PDF, 1), lambda: real.render(path, PDF, 1, 100)):
        with pytest.raises(Invalid, match="protected by a password"):
            ask()


def test_a_pdf_that_only_its_changing_is_locked_of_is_read(real, file):
    path = file(locked_pdf(["An account statement of a bank"]))
    assert real.pages(path, PDF) == 1
    assert real.text(path, PDF, 1).strip() == "An account statement of a bank"


@pytest.mark.parametrize("keep", [30, 200, 0.5, 0.98])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_a_truncated_picture_is_said(real, file, kind, keep):
    whole = saved(drawn(ENGLISH), kind)
    path = file(whole[:keep if isinstance(keep, int) else int(len(whole) * keep)])
    with pytest.raises(Invalid, match="damaged"):
        real.text(path, getattr(module, kind), 1)


def test_a_decompression_bomb_is_refused(real, file):
    path = file(png_claiming(50_000, 50_000))
    with pytest.raises(Invalid, match="100 million"):
        real.text(path, PNG, 1)
    with pytest.raises(Invalid, match="100 million"):
        real.pages(path, PNG)


def test_too_many_pages_are_refused(real, file, monkeypatch):
    with pytest.raises(Invalid, match="2000 pages"):
        real.pages(file(pdf([[]] * 2001)), PDF)
    monkeypatch.setattr(module, "PAGES", 3)
    dot = Image.new("L", (1, 1))
    assert real.pages(file(saved(dot, "TIFF", save_all=True, append_images=[dot] * 2)), TIFF) == 3
    with pytest.raises(Invalid, match="3 pages"):
        real.pages(file(saved(dot, "TIFF", save_all=True, append_images=[dot] * 3)), TIFF)


def test_a_pdf_that_lies_about_its_pages_is_refused(real, file):
    with pytest.raises(Invalid, match="damaged"):
        real.pages(file(pdf([[]]).replace(b"/Count 1", b"/Count 100000")), PDF)


def test_a_poster_is_drawn_within_the_memory(real, file):
    assert real.text(file(pdf([[]], size=(14_400, 14_400))), PDF, 1).strip() == ""


def test_a_pdf_that_never_ends_is_stopped(file, tmp_path):
    endless = b"0 0 500 500 re W n " * 10 + b"BT /F1 500 Tf (MMMMMMMM) Tj ET " * 2_000_000
    reader = SubprocessReader(tmp_path / "work", timeout=0.5)
    began = time.monotonic()
    with pytest.raises(Invalid, match="too long"):
        reader.render(file(pdf([[]], content=endless)), PDF, 1, 4096)
    assert time.monotonic() - began < 20


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """A script under the name of a program, first on the path."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")

    def put(name, script):
        path = tmp_path / "bin" / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(stat.S_IRWXU)

    return put


def test_what_hangs_is_killed_with_its_children(file, tmp_path, stand_in):
    stand_in("pdfinfo", f"sleep 600 & echo $! > {tmp_path}/pid; wait")
    with pytest.raises(Invalid, match="too long"):
        SubprocessReader(tmp_path / "work", timeout=1).pages(file(pdf(PAGES)), PDF)
    child, deadline = int((tmp_path / "pid").read_text()), time.monotonic() + 10
    while gone_or_dead(child) is False:
        assert time.monotonic() < deadline, "the grandchild lives on"
        time.sleep(0.01)


def gone_or_dead(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_the_programs_run_bounded(file, tmp_path, stand_in):
    said = tmp_path / "said"
    stand_in("pdfinfo", f"(ulimit -v; ulimit -c; nice; cat; pwd; env) > {said}; echo 'Pages: 1'")
    assert SubprocessReader(tmp_path / "work", memory=1 << 29).pages(file(pdf(PAGES)), PDF) == 1
    memory, core, nice, directory, *environment = said.read_text().split("\n")
    assert (memory, core, nice) == (str((1 << 29) // 1024), "0", "10")
    assert directory.startswith(str(tmp_path / "work"))
    by_shell, ours = {"PWD", "OLDPWD", "SHLVL", "_"}, {"PATH", "LC_ALL", "HOME", "TMPDIR", "OMP_THREAD_LIMIT"}
    names = {line.partition("=")[0] for line in environment if line} - by_shell
    assert ours <= names <= ours | {"TESSDATA_PREFIX", "LD_LIBRARY_PATH", "FONTCONFIG_FILE", "FONTCONFIG_PATH"}


def test_what_prints_without_end_is_stopped(file, tmp_path, stand_in, monkeypatch):
    monkeypatch.setattr(module, "OUTPUT", 1 << 20)
    stand_in("pdfinfo", "yes 'Title: a lie'")
    with pytest.raises(Invalid, match="damaged"):
        SubprocessReader(tmp_path / "work").pages(file(pdf(PAGES)), PDF)


def test_too_little_memory_is_said(file, tmp_path):
    with pytest.raises(Invalid, match="memory"):
        SubprocessReader(tmp_path / "work", memory=100 << 20).text(file(png_claiming(9500, 9500)), PNG, 1)


def test_a_missing_program_names_its_package(file, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    reader = SubprocessReader(tmp_path / "work")
    with pytest.raises(Unavailable, match="poppler-utils"):
        reader.pages(file(pdf(PAGES)), PDF)
    with pytest.raises(Unavailable, match="tesseract-ocr"):
        reader.text(file(saved(drawn(["x"]), "PNG")), PNG, 1)
    assert [(program, package) for program, package, _why in missing()] == [
        ("tesseract", "tesseract-ocr"), ("pdfinfo", "poppler-utils"), ("pdftotext", "poppler-utils"), ("pdftoppm", "poppler-utils")]
    assert "poppler-utils" in str(missing()[1][2])


def test_a_missing_language_names_its_package(file, tmp_path, stand_in):
    stand_in("tesseract", "echo 'List of available languages'; echo osd")
    with pytest.raises(Unavailable, match="tesseract-ocr-tur"):
        SubprocessReader(tmp_path / "work").text(file(saved(drawn(["x"]), "PNG")), PNG, 1)
    assert [(program, package) for program, package, _why in missing()] == [("tur", "tesseract-ocr-tur"), ("eng", "tesseract-ocr-eng")]


@pytest.mark.parametrize("languages", ["", "tur eng", "-l", "../x", "tur+"])
def test_languages_are_names(real, file, languages):
    with pytest.raises(Invalid, match=r"tur\+eng"):
        real.text(file(saved(drawn(["x"]), "PNG")), PNG, 1, languages)


def test_what_a_killed_process_left_is_removed(file, tmp_path, real):
    old, young = tmp_path / "work/page-old", tmp_path / "work/page-young"
    for directory in (old, young):
        directory.mkdir(parents=True)
        (directory / "page.png").write_bytes(b"private")
    os.utime(old, (time.time() - 2 * module.STALE,) * 2)
    real.pages(file(pdf(PAGES)), PDF)
    assert not old.exists() and young.exists()
    (young / "page.png").unlink()
    young.rmdir()


def test_a_reader_that_cannot_be_bounded_reads_nothing(real, file, monkeypatch):
    """Where a sandbox forbids to set limits the document is not to blame, and it is tried again."""
    monkeypatch.setattr(module, "_LAUNCH", module._LAUNCH.replace("os.nice(10)", "raise OSError"))
    with pytest.raises(Unavailable, match="bounds"):
        real.pages(file(saved(drawn(ENGLISH), "PNG")), PNG)
