"""Reads text out of scanned pages and PDFs with tesseract, poppler and Pillow.

Files are foreign and may be hostile: their kind is told by their first bytes, never by a name, and every decoder runs in a process of
its own, in a process group that is killed at a time limit, with bounds on memory and on what it writes, at low priority, without
input, in a directory that is removed afterwards. Sizes: a picture has at most `PIXELS`, a document `PAGES`, a page's text `CHARACTERS`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

from unibos.adapters.files import FULL, disk_full
from unibos.kernel.errors import Invalid, NotFound, Unavailable
from unibos.kernel.words import T, Text

PAGES = 2000
PIXELS = 100_000_000
CHARACTERS = 300_000
MEMORY = 1 << 30
OUTPUT = 256 << 20
STALE = 3600.0
UNBOUND = 75
PDF_DPI = 200
LAYER = 20
"""So many letters and digits make a text layer; fewer are a stamp of the scanner."""

PDF, PNG, JPEG, TIFF = "application/pdf", "image/png", "image/jpeg", "image/tiff"
FORMATS = {PNG: "PNG", JPEG: "JPEG", TIFF: "TIFF"}
PACKAGES = {"tesseract": "tesseract-ocr", "pdfinfo": "poppler-utils", "pdftotext": "poppler-utils", "pdftoppm": "poppler-utils"}
_MAGIC = ((b"\x89PNG\r\n\x1a\n", PNG), (b"\xff\xd8\xff", JPEG), (b"II*\0", TIFF), (b"MM\0*", TIFF), (b"II+\0", TIFF), (b"MM\0+", TIFF))
_LANGUAGES = re.compile(r"[A-Za-z]{3}(_[A-Za-z]+)?(\+[A-Za-z]{3}(_[A-Za-z]+)?)*")
# Sets the bounds and becomes the program: a function run between fork and exec would not be safe among threads.
_LAUNCH = """
import os, resource, sys
memory, output = map(int, sys.argv[1:3])
try:
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (output, output))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(10)
except (OSError, ValueError):
    os._exit(75)
os.execvp(sys.argv[3], sys.argv[3:])
"""
_PICTURE = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from unibos.adapters.picture import main; main(sys.argv[2:])"
_WRONG = {
    "broken": T("The picture is damaged or ends too early. Scan or save it again."),
    "pixels": T("The picture has more than %(millions)s million pixels. Save it smaller.", millions=PIXELS // 1_000_000),
    "memory": T("The picture needs more memory than it may use. Save it smaller."),
    "no-page": T("The document has no such page."),
}
_DAMAGED = T("The PDF is damaged and cannot be read. Save or print it to a new PDF.")
_LOCKED = T("This PDF is protected by a password. Save a copy without the password and add that one.")
_SLOW = T("The document took too long to read and was stopped. Save it in a simpler form, or scan it again.")


def sniff(path: Path) -> str | None:
    """The media type that the first bytes of a file tell (PNG, JPEG, TIFF, PDF), else None. Raises NotFound."""
    try:
        with open(path, "rb") as file:
            head = file.read(1024)
    except FileNotFoundError:
        raise NotFound(T("The file is not there any more.")) from None
    found = next((media_type for magic, media_type in _MAGIC if head.startswith(magic)), None)
    return found or (PDF if b"%PDF-" in head else None)


def missing() -> list[tuple[str, str, Text]]:
    """What this machine lacks: (program or language, Debian package, what does not work without it)."""
    said = T("Text in scanned documents is not read: install the package %(package)s.")
    gaps = [(program, package) for program, package in PACKAGES.items() if not shutil.which(program)]
    if not find_spec("PIL"):
        gaps.append(("Pillow", "python3-pil"))
    if shutil.which("tesseract"):
        there = installed()
        gaps += [(language, f"tesseract-ocr-{language}") for language in ("tur", "eng") if language not in there]
    return [(program, package, Text(said.message, {"package": package})) for program, package in gaps]


def installed() -> list[str]:
    """The languages that tesseract can read here."""
    try:
        said = subprocess.run(["tesseract", "--list-langs"], capture_output=True, text=True, timeout=20, check=False,
                              stdin=subprocess.DEVNULL).stdout
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [line.strip() for line in said.splitlines()[1:] if line.strip() not in ("", "osd")]


class SubprocessReader:
    """The Reader port.

    `tmp`: where working directories are made; `timeout`: seconds that one program may take for one page; `memory`: bytes of
    address space it may have.
    """

    def __init__(self, tmp: Path, *, timeout: float = 120.0, memory: int = MEMORY):
        self._tmp, self._timeout, self._memory = Path(tmp).absolute(), timeout, memory
        self._languages: list[str] = []

    def pages(self, path: Path, media_type: str) -> int:
        """How many pages there are. Raises Invalid with the reason when the file cannot be read, Unavailable without a program."""
        path = self._check(path, media_type)
        with self._directory() as directory:
            if media_type == PDF:
                count = int(self._info(directory, path).get("Pages", "0"))
                if count < 1:
                    raise Invalid(_DAMAGED)
            else:
                count = int(self._picture(directory, "pages", path, FORMATS[media_type])["pages"])
        if count > PAGES:
            raise Invalid(T("The document has more than %(pages)s pages. Split it into smaller ones.", pages=PAGES))
        return count

    def text(self, path: Path, media_type: str, page: int, languages: str = "tur+eng") -> str:
        """The text of page `page` (from 1): a PDF's own where it has one, else what tesseract reads.

        `languages` as "tur+eng"; those that are not installed are left out. Raises Invalid, Unavailable.
        """
        path = self._check(path, media_type, page)
        with self._directory() as directory:
            if media_type != PDF:
                self._picture(directory, "grey", path, FORMATS[media_type], page=page, target=directory / "page.png")
                return self._recognise(directory, languages)
            width, height = self._page_size(directory, path, page)
            layer = self._run(directory, ["pdftotext", "-f", str(page), "-l", str(page), "-enc", "UTF-8", "-nopgbrk", str(path), "-"])
            if sum(map(str.isalnum, layer)) >= LAYER and layer.count("\ufffd") * 4 < len(layer):
                return layer
            # 200 dots an inch suffice for print; a poster is drawn coarser, so that it stays within the same memory
            dots = min(PDF_DPI, (25_000_000 / (width / 72 * height / 72)) ** 0.5)
            self._draw(directory, path, page, ["-r", f"{dots:.3f}", "-gray"])
            return self._recognise(directory, languages) or layer

    def render(self, path: Path, media_type: str, page: int, width: int) -> bytes:
        """A WebP picture of a page, at most `width` (16 to 4096) pixels wide and four times as high. Raises Invalid, Unavailable."""
        width = max(16, min(width, 4096))
        path = self._check(path, media_type, page)
        with self._directory() as directory:
            source, kind = path, FORMATS.get(media_type, "PNG")
            if media_type == PDF:
                wide, high = self._page_size(directory, path, page)
                scale = min(width / wide, 4 * width / high)
                self._draw(directory, path, page, ["-scale-to-x", str(max(1, round(wide * scale))),
                                                   "-scale-to-y", str(max(1, round(high * scale)))])
                source, page = directory / "page.png", 1
            target = directory / "preview.webp"
            self._picture(directory, "small", source, kind, page=page, target=target, size=width)
            return target.read_bytes()

    # -- the steps -----------------------------------------------------------------------------------------------------------

    def _check(self, path: Path, media_type: str, page: int = 1) -> Path:
        if media_type != PDF and media_type not in FORMATS:
            raise Invalid(T("Only PDF, PNG, JPEG and TIFF can be read."))
        if sniff(path) != media_type:
            raise Invalid(T("The file is not what it says: its content is not %(type)s.", type=media_type))
        if not 1 <= page <= PAGES:
            raise Invalid(_WRONG["no-page"])
        return Path(path).absolute()

    def _info(self, directory: Path, path: Path, page: int | None = None) -> dict[str, str]:
        said = self._run(directory, ["pdfinfo", *(["-f", str(page), "-l", str(page)] if page else []), str(path)])
        return {name.strip(): value.strip() for name, _colon, value in (line.partition(":") for line in said.splitlines())}

    def _page_size(self, directory: Path, path: Path, page: int) -> tuple[float, float]:
        """Width and height in points as the page is shown (turned)."""
        info = self._info(directory, path, page)
        if page > int(info.get("Pages", "0")):
            raise Invalid(_WRONG["no-page"])
        size = next((value for name, value in info.items() if re.fullmatch(r"Page\s+\d+ size|Page size", name)), "")
        numbers = re.match(r"([\d.]+) x ([\d.]+)", size)
        turned = next((value for name, value in info.items() if re.fullmatch(r"Page\s+\d+ rot|Page rot", name)), "0")
        width, height = (max(float(number), 1.0) for number in numbers.groups()) if numbers else (595.0, 842.0)
        return (height, width) if turned in ("90", "270") else (width, height)

    def _draw(self, directory: Path, path: Path, page: int, how: list[str]) -> None:
        which = ["-f", str(page), "-l", str(page), str(path), str(directory / "page")]
        self._run(directory, ["pdftoppm", *how, "-png", "-singlefile", *which])
        if not (directory / "page.png").exists():
            raise Invalid(_DAMAGED)

    def _picture(self, directory: Path, verb: str, source: Path, kind: str, *, page: int = 1, target: Path = Path("-"),
                 size: int = 0) -> dict[str, int]:
        if not find_spec("PIL"):
            raise Unavailable(T("Pictures cannot be read because Pillow is absent: install the package %(package)s.",
                                package="python3-pil"))
        here = json.dumps([entry or os.getcwd() for entry in sys.path])
        said = self._run(directory, [sys.executable, "-I", "-c", _PICTURE, here, verb, str(source), kind, str(page), str(target),
                                     str(size), str(PIXELS)])
        answer: dict[str, int | str] = json.loads(said or '{"error": "memory"}')
        if "error" in answer:
            raise Invalid(_WRONG[str(answer["error"])])
        return answer  # type: ignore[return-value]

    def _recognise(self, directory: Path, languages: str) -> str:
        if not _LANGUAGES.fullmatch(languages):
            raise Invalid(T("The languages are given as in tur+eng."))
        if not self._languages:
            self._need("tesseract")
            self._languages = installed()
        wanted = [language for language in languages.split("+") if language in self._languages] or self._languages
        if not wanted:
            raise Unavailable(T("Text in pictures cannot be read because no language is installed: install the package %(package)s.",
                                package="tesseract-ocr-" + languages.split("+")[0]))
        picture = directory / "page.png"
        return self._run(directory, ["tesseract", str(picture), "stdout", "--psm", "3", "-l", "+".join(wanted)]).strip("\f\n")

    # -- one bounded process ---------------------------------------------------------------------------------------------------

    def _need(self, program: str) -> None:
        if not shutil.which(program):
            raise Unavailable(T("Documents cannot be read because the program %(program)s is absent: install the package %(package)s.",
                                program=program, package=PACKAGES.get(program, program)))

    def _run(self, directory: Path, command: list[str]) -> str:
        """Run one program within the bounds and give what it printed, at most CHARACTERS."""
        self._need(command[0])
        inherited = ("PATH", "TESSDATA_PREFIX", "LD_LIBRARY_PATH", "FONTCONFIG_FILE", "FONTCONFIG_PATH")
        environment = {name: os.environ[name] for name in inherited if name in os.environ}
        environment |= {"OMP_THREAD_LIMIT": "1", "LC_ALL": "C.UTF-8", "HOME": str(directory), "TMPDIR": str(directory)}
        output, errors = directory / "stdout", directory / "stderr"
        with output.open("wb") as out, errors.open("wb") as err:
            process = subprocess.Popen([sys.executable, "-I", "-S", "-c", _LAUNCH, str(self._memory), str(OUTPUT), *command],
                                       stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=directory, env=environment,
                                       start_new_session=True)
            try:
                code = process.wait(self._timeout)
            except BaseException as error:
                os.killpg(process.pid, signal.SIGKILL)  # not waited for yet, so the id is still its own
                process.wait()
                if isinstance(error, subprocess.TimeoutExpired):
                    raise Invalid(_SLOW) from None
                raise
        with output.open(encoding="utf-8", errors="replace") as file:
            said = file.read(CHARACTERS)
        if code == UNBOUND:
            raise Unavailable(T("The bounds within which documents are read cannot be set on this machine."))
        if code == 0 or command[0] == sys.executable:
            return said
        raise self._failed(command[0], errors)

    def _failed(self, program: str, errors: Path) -> Invalid | Unavailable:
        with errors.open(encoding="utf-8", errors="replace") as file:
            why = file.read(10_000)
        if "page range" in why and "last page (0)" not in why:
            return Invalid(_WRONG["no-page"])
        if program == "tesseract":
            return Invalid(T("The text recognition gave up on this page. Scan it again, with about 300 dots per inch."))
        return Invalid(_LOCKED if "Incorrect password" in why else _DAMAGED)

    @contextmanager
    def _directory(self) -> Iterator[Path]:
        """A working directory of one call. Pages may be private: what a killed process left is removed by a later call."""
        try:
            self._tmp.mkdir(parents=True, exist_ok=True)
            for old in self._tmp.glob("page-*"):
                with suppress(OSError):
                    if time.time() - old.stat().st_mtime > STALE:
                        shutil.rmtree(old, ignore_errors=True)
            with tempfile.TemporaryDirectory(prefix="page-", dir=self._tmp) as name:
                yield Path(name)
        except OSError as error:
            if error.errno in FULL:
                raise disk_full() from error
            raise Unavailable(T("The document cannot be worked on here (%(reason)s).", reason=error.strerror or "")) from error
