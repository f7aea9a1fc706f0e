"""A document from its upload to its text: a Turkish scan, what cannot be read, and what is not taken."""

from __future__ import annotations

import io
import urllib.parse

import pytest

from tests.adapters.documents import drawn, pdf, saved
from tests.processes.talk import ask, document, ended, job_ended

LINES = ["Kira sözleşmesi", "Kiracı: Şükrü Yıldırım, İstanbul", "Aylık kira bedeli 12.500 TL olup her ayın", "beşinci gününe kadar ödenecektir."]


@pytest.fixture(scope="module")
def scan(stack, tmp_path_factory):
    """The scan, uploaded and read: (its answer, its document)."""
    file = tmp_path_factory.mktemp("scan") / "kira_sözleşmesi.png"
    file.write_bytes(saved(drawn(LINES), "PNG"))
    status, answer = stack.upload(file)
    assert (status, answer["new"]) == (202, True)
    return file, ended(stack, answer["id"])


def found(stack, words: str) -> list[dict]:
    status, answer = stack.api("GET", "/api/v1/documents/?" + urllib.parse.urlencode({"q": words}))
    assert status == 200
    return answer["items"]


def test_a_turkish_scan_is_read(stack, scan):
    _file, read = scan
    assert (read["status"], read["page_count"], read["title"]) == ("done", 1, "kira sözleşmesi")
    for word in ("sözleşmesi", "Şükrü Yıldırım", "İstanbul", "beşinci gününe"):
        assert word in read["text"], read["text"]
    job = job_ended(stack, read["job_id"])
    assert (job["state"], job["attempt"], job["fraction"]) == ("done", 1, 1.0)
    picture = ask("GET", f"{stack.node}/api/v1/documents/{read['id']}/file/", Authorization="Bearer x")
    assert picture.status == 401


@pytest.mark.parametrize("words", ["sözleşme", "SOZLESME", "istanbul", "İSTANBUL", "sukru", "ödenecek", "kira bedel", "12.500"])
def test_words_and_their_forms_are_found(stack, scan, words):
    hits = found(stack, words)
    assert scan[1]["id"] in [hit["id"] for hit in hits]
    assert hits[0]["snippet"]


@pytest.mark.parametrize("words", ["ankara", "sözleşmesiz", "kira ankara", "%", '"', "' OR 1=1 --"])
def test_other_words_are_not(stack, scan, words):
    assert scan[1]["id"] not in [hit["id"] for hit in found(stack, words)]


def test_the_same_file_twice_is_one_document(stack, scan, tmp_path):
    file, read = scan
    again = tmp_path / "another name.png"
    again.write_bytes(file.read_bytes())
    status, answer = stack.upload(again)
    assert (status, answer["new"], answer["id"], answer["job_id"]) == (202, False, read["id"], read["job_id"])
    _status, listed = stack.api("GET", "/api/v1/documents/")
    assert [d["id"] for d in listed["items"]].count(read["id"]) == 1


def test_a_corrupt_file_fails_with_its_reason_and_can_be_tried_again(stack, tmp_path):
    file = tmp_path / "broken.pdf"
    file.write_bytes(pdf([["Hello"]])[:200])
    status, answer = stack.upload(file)
    assert status == 202
    read = ended(stack, answer["id"])
    assert read["status"] == "failed"
    assert len(read["reason"]) > 10 and str(stack.data) not in read["reason"]
    job = job_ended(stack, read["job_id"])
    assert (job["state"], bool(job["error"])) == ("failed", True)
    status, again = stack.api("POST", f"/api/v1/documents/{read['id']}/retry/", {})
    assert status == 202 and again["job_id"] != read["job_id"]
    read = ended(stack, answer["id"])
    assert (read["status"], read["job_id"]) == ("failed", again["job_id"])
    assert stack.api("DELETE", f"/api/v1/documents/{read['id']}/")[0] == 204
    assert stack.api("GET", f"/api/v1/documents/{read['id']}/")[0] == 404


def test_only_what_failed_can_be_tried_again(stack, scan):
    assert stack.api("POST", f"/api/v1/documents/{scan[1]['id']}/retry/", {})[0] == 409


def test_pages_with_a_text_layer_and_without(stack, tmp_path):
    file = tmp_path / "two.pdf"
    file.write_bytes(pdf([["First page of the annual report"], ["Second page about quarterly figures"]]))
    status, answer = stack.upload(file)
    assert status == 202
    read = ended(stack, answer["id"])
    assert (read["status"], [p["number"] for p in read["pages"]]) == ("done", [1, 2])
    assert "annual report" in read["pages"][0]["text"] and "quarterly" in read["pages"][1]["text"]
    assert [(h["id"], h["page"]) for h in found(stack, "quarterly")] == [(read["id"], 2)]


def test_what_is_not_taken_leaves_nothing(stack, tmp_path):
    def kept() -> list:
        return sorted(f for f in (stack.data / "node" / "files").rglob("*") if f.is_file())

    before = kept()
    for name, content, expected in (("page.html", b"<html><script>alert(1)</script></html>", 415), ("empty.pdf", b"", 415),
                                    ("large.pdf", pdf([["x"]]) + bytes(1_000_000), 413)):
        file = tmp_path / name
        file.write_bytes(content)
        status, answer = stack.upload(file)
        assert (status, answer["status"]) == (expected, expected), answer
    assert stack.api("POST", "/api/v1/documents/", {"file": "x"})[0] == 400
    assert kept() == before


def test_a_name_is_only_a_name(stack, tmp_path):
    file = tmp_path / "x.png"
    out = io.BytesIO()
    drawn(["Merhaba"], width=500).save(out, "PNG")
    file.write_bytes(out.getvalue())
    status, answer = stack.upload(file, "../../etc/passwd.png")
    assert status == 202
    assert document(stack, answer["id"])["filename"] == "passwd.png"
    assert ended(stack, answer["id"])["status"] == "done"
