"""From a file to text that can be found: kept, read page by page, resumed, failed with a reason, forgotten."""

import io

import pytest
from unibos.kernel.errors import Conflict, Invalid, NotFound, TooLarge, Unsupported
from unibos.kernel.jobs import Job
from unibos.products.documents.models import Document, DocumentPage
from unibos.products.documents.service import title_of

PNG = b"\x89PNG\r\n\x1a\n"
TURKISH = "Sayın Ayşe Yılmaz, İstanbul Elektrik faturanızın tutarı 1.234,50 TL. Kitaplarımızdan indirim kazandınız."


@pytest.fixture
def library(node):
    from unibos.adapters.memory.reader import MemoryReader

    node.documents, node.org = node.services["documents"], node.services["orgs"].home_id()
    node.kit.reader = node.reader = MemoryReader()
    return node


def add(library, content=PNG + b"1", name="Fatura_Ekim.png", pages=(TURKISH,)):
    if pages is not None:
        library.reader.teach(content, list(pages))
    return library.documents.add(io.BytesIO(content), name, org_id=library.org, owner_id="ada")


def work(library):
    """Dispatch and do what is due, as the OCR worker does."""
    library.kit.jobs.dispatch()
    ends = []
    while library.kit.queue.handed:
        _queue, job_id, attempt = library.kit.queue.handed.pop(0)
        ends.append(library.kit.jobs.run(job_id, attempt, "w", library.services))
    return ends


def found(library, words):
    return [row["document"].title for row in library.documents.list(library.org, words)]


def test_a_scan_is_read_and_found_by_what_people_type(library):
    document, new = add(library)
    assert new and work(library) == ["done"]
    row = library.documents.list(library.org)[0]
    assert (row["status"], row["document"].pages, row["read"]) == ("done", 1, 1)
    for words in ("istanbul", "İSTANBUL", "fatura", "faturalar", "kitap", "ayse yilmaz", "ekim"):
        assert found(library, words) == ["Fatura Ekim"], words
    for words in ("ankara", "istanbul ankara", "", '"', "AND", "NEAR(", "*", "' OR 1=1 --"):
        assert words == "" or found(library, words) == [], words
    hit = library.documents.list(library.org, "kitap")[0]["snippet"]
    assert any(is_hit and "Kitap" in text for text, is_hit in hit)


def test_the_same_file_is_one_document(library):
    first, _ = add(library)
    again, new = add(library, name="copy.png")
    assert again.id == first.id and not new and Job.select().where(Job.type == "ocr.process_document").count() == 1


def test_another_organisation_sees_nothing_of_it(library):
    document, _ = add(library)
    work(library)
    assert library.documents.list("other") == [] and library.documents.list("other", "istanbul") == []
    for verb in (lambda: library.documents.get(document.id, "other"), lambda: library.documents.delete(document.id, "other", "x")):
        with pytest.raises(NotFound):
            verb()


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"<html><script>", b"PK\x03\x04" + b"0" * 100])
def test_what_is_no_document_is_refused_and_nothing_kept(library, content):
    with pytest.raises(Unsupported):
        add(library, content, pages=None)
    assert Document.select().count() == 0 and library.kit.files.used(library.org) == 0


def test_what_is_too_large_is_refused_and_nothing_kept(library, monkeypatch):
    monkeypatch.setattr(type(library.documents), "limit", lambda self: 1000)
    with pytest.raises(TooLarge):
        add(library, PNG + b"x" * 2000, pages=None)
    assert Document.select().count() == 0


def test_a_file_that_cannot_be_read_fails_with_its_reason_and_can_be_read_again(library):
    document, _ = add(library, pages=None)
    assert work(library) == ["failed"]
    state = library.documents.state(library.documents.get(document.id, library.org))
    assert state["status"] == "failed" and str(state["why"])
    library.reader.teach(PNG + b"1", ["now it can"])
    library.documents.retry(document.id, library.org, "ada")
    assert work(library) == ["done"]
    with pytest.raises(Conflict):
        library.documents.retry(document.id, library.org, "ada")


def test_a_killed_worker_goes_on_at_the_next_page(library):
    document, _ = add(library, pages=["one", "two", "three"])
    library.kit.jobs.dispatch()
    _queue, job_id, attempt = library.kit.queue.handed.pop()
    read, original = [], type(library.reader).text

    def dies(path, media_type, page, languages):
        read.append(page)
        if page == 2 and len(read) == 2:
            raise KeyboardInterrupt  # as abrupt as a test can be inside one process
        return original(library.reader, path, media_type, page, languages)

    library.reader.text = dies
    with pytest.raises(KeyboardInterrupt):
        library.kit.jobs.run(job_id, attempt, "w", library.services)
    assert library.kit.jobs.release("w") == 1
    assert work(library) == ["done"] and read == [1, 2, 2, 3]
    assert [p.text for p in library.documents.pages(document)] == ["one", "two", "three"]


def test_a_cancelled_reading_ends_as_failed_and_keeps_its_pages(library):
    document, _ = add(library, pages=["one", "two"])
    job = Job.get_by_id(document.job_id)
    original = type(library.reader).text

    def slow(path, media_type, page, languages):
        if page == 1:
            library.kit.jobs.cancel(job.id)
        return original(library.reader, path, media_type, page, languages)

    library.reader.text = slow
    assert work(library) == ["cancelled"]
    state = library.documents.state(library.documents.get(document.id, library.org))
    assert state["status"] == "failed" and "cancelled" in str(state["why"]) and len(library.documents.pages(document)) == 1


def test_a_job_that_died_for_good_is_told_by_the_document(library):
    document, _ = add(library)
    Job.update(state="failed", error={"text": "Its worker was killed.", "params": {}}).where(Job.id == document.job_id).execute()
    assert library.documents.state(library.documents.get(document.id, library.org))["status"] == "failed"


def test_title_and_tags_are_found_and_checked(library):
    document, _ = add(library)
    library.documents.change(document.id, library.org, "ada", title="Elektrik Ekim", tags=["Ev ", "ev", "Vergi"])
    assert library.documents.get(document.id, library.org).tags == ["ev", "vergi"]
    assert found(library, "vergi") == ["Elektrik Ekim"]
    with pytest.raises(Invalid):
        library.documents.change(document.id, library.org, "ada", title="  ")


def test_deleting_forgets_text_file_and_hits(library):
    document, _ = add(library)
    work(library)
    library.documents.delete(document.id, library.org, "ada")
    assert found(library, "istanbul") == [] and library.kit.files.used(library.org) == 0
    assert DocumentPage.select().where(DocumentPage.deleted_at.is_null()).count() == 0
    again, new = add(library)
    assert new and again.id != document.id


@pytest.mark.parametrize(("name", "title", "kept"), [("a/b\\c/Fatura_2026.pdf", "Fatura 2026", "Fatura_2026.pdf"), ("../../etc/passwd", "passwd", "passwd"),
                                                     ("\x00\x1b[31m.png", "[31m", "[31m.png"), ("", "document", "document"), ("x" * 400, "x" * 255, "x" * 255)])
def test_a_file_name_is_only_ever_shown(name, title, kept):
    assert title_of(name) == (title, kept)
