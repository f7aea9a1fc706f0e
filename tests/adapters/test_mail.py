"""Mail: the same contract for SMTP, files and the fake; and what SMTP does about certificates, refusals, and headers that would be two."""

import email
import email.policy
import logging

import pytest
from unibos.adapters.mail import FolderMail, SmtpMail, message, sender_of
from unibos.adapters.memory.mail import MemoryMail
from unibos.kernel.errors import Blocked, Invalid, SettingError, Unavailable
from unibos.kernel.ports import Letter, Verdict
from unibos.kernel.words import T

from tests.fronts import Own
from tests.smtp import SmtpServer

LETTER = Letter("ada@example.org", "Yeni şifre", "Merhaba Ada,\n.\nkod: ABCD\n")
FROM = "unibos@box.example"


class Gate:
    def __init__(self, allowed=True):
        self.allowed, self.asked = allowed, []

    def check(self, *what, **_sizes):
        self.asked.append(what)
        return Verdict(self.allowed, T("Because."))


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    return Own(tmp_path_factory.mktemp("own"), "localhost")


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    return Own(tmp_path_factory.mktemp("other"), "localhost")


def smtp(server, own, gate=None, scheme="smtp", host="localhost", user="box:s%3Acret@"):
    gate = gate or Gate()
    return SmtpMail(f"{scheme}://{user}{host}:{server.port}", FROM, lambda: gate, lambda: "mark", own.ca if own else None)


@pytest.fixture(params=["smtp", "folder", "memory"])
def mail(request, tmp_path, own):
    """(port, what it has sent so far as parsed messages)."""
    if request.param == "smtp":
        with SmtpServer(own.context()) as server:
            yield smtp(server, own), lambda: [email.message_from_bytes(got.data, policy=email.policy.default) for got in server.got]
    elif request.param == "folder":
        marks = iter("abcdefghijklmnop")
        yield FolderMail(tmp_path / "mail", FROM, lambda: next(marks) * 16), lambda: [
            email.message_from_bytes(path.read_bytes(), policy=email.policy.default) for path in sorted((tmp_path / "mail").glob("*.eml"))]
    else:
        fake = MemoryMail()
        yield fake, lambda: [message(letter, FROM, "mark") for letter in fake.sent]


def test_a_letter_arrives_whole(mail):
    port, sent = mail
    port.send(LETTER, module="identity")
    port.send(Letter("bo@example.org", "Two", "x"), module="identity")
    first, second = sent()
    assert (first["To"], first["Subject"], first["From"], first["Auto-Submitted"]) == ("ada@example.org", "Yeni şifre", FROM, "auto-generated")
    assert first.get_content().replace("\r\n", "\n") == LETTER.text and second["To"] == "bo@example.org"


@pytest.mark.parametrize("letter", [Letter("a@b.example\r\nBcc: x@y.example", "s", "t"), Letter("a@b.example, x@y.example", "s", "t"), Letter("nobody", "s", "t"),
                                    Letter("Ada <a@b.example>", "s", "t"), Letter("", "s", "t"), Letter("ä@b.example", "s", "t"), Letter("a" * 250 + "@b.example", "s", "t"),
                                    Letter("a@b.example", "s\nBcc: x@y.example", "t"), Letter("a@b.example", "s\r", "t"), Letter("a@b.example", "s\u2028", "t"),
                                    Letter("a@b.example", "s\0", "t"), Letter("a@b.example", "s" * 201, "t"), Letter("a@b.example", "s", "t\0"),
                                    Letter("a@b.example", "s", "\ud800"), Letter("a@b.example", "s", "t" * 20_001)], ids=lambda letter: repr(letter)[:50])
def test_what_would_be_another_header_or_no_mail_is_refused(mail, letter):
    port, sent = mail
    with pytest.raises(Invalid):
        port.send(letter, module="identity")
    assert sent() == []


@pytest.mark.parametrize("kind", ["smtp", "memory"])
def test_the_gate_is_asked_and_stops_it(own, kind):
    gate = Gate(False)
    with SmtpServer(own.context()) as server:
        port = smtp(server, own, gate) if kind == "smtp" else MemoryMail(lambda: gate)
        with pytest.raises(Blocked):
            port.send(LETTER, module="identity")
        assert gate.asked == [("identity", "mail", "internet")] and server.said == []


@pytest.mark.parametrize("at_once", [False, True])
def test_password_and_letter_go_over_tls_to_a_server_that_is_vouched_for(own, other, at_once, caplog):
    caplog.set_level(logging.DEBUG)
    with SmtpServer(own.context(), at_once=at_once) as server:
        smtp(server, own, scheme="smtps" if at_once else "smtp").send(LETTER, module="identity")
        assert [(got.tls or at_once, got.user, got.to) for got in server.got] == [(True, "box", ["rcpt TO:<ada@example.org>"])]
        for authority in (other, None):
            with pytest.raises(Unavailable, match="not trusted"):
                smtp(server, authority, scheme="smtps" if at_once else "smtp").send(LETTER, module="identity")
        with pytest.raises(Unavailable):
            smtp(server, own, scheme="smtps" if at_once else "smtp", host="127.0.0.1").send(LETTER, module="identity")  # another name than the certificate's
        assert len(server.got) == 1 and not any("AUTH" in line for line in server.said[server.said.index("QUIT"):])
    assert not any(secret in record.getMessage() for record in caplog.records for secret in ("s:cret", "ABCD"))


def test_without_an_offer_of_tls_only_this_very_machine_is_spoken_to(own, monkeypatch):
    with SmtpServer(own.context(), offer=False) as server:
        smtp(server, None, user="").send(LETTER, module="identity")
        monkeypatch.setattr("unibos.adapters.mail.LOOPBACK", ())
        with pytest.raises(Unavailable):
            smtp(server, own).send(LETTER, module="identity")
        assert len(server.got) == 1 and not any(line.startswith("AUTH") for line in server.said)


@pytest.mark.parametrize(("verb", "answer", "kind"), [("RCPT", "550 no such person", Invalid), ("RCPT", "450 later", Unavailable), ("DATA", "554 spam", Invalid),
                                                      ("MAIL", "421 full", Unavailable), ("AUTH", "535 wrong password", Unavailable)])
def test_a_refusal_for_good_is_not_tried_again_and_tells_nothing_secret(own, verb, answer, kind):
    with SmtpServer(own.context(), refuse={verb: answer}) as server:
        with pytest.raises((Invalid, Unavailable)) as told:
            smtp(server, own).send(LETTER, module="identity")
        assert type(told.value) is kind and "ada@" not in str(told.value) and "cret" not in str(told.value) and server.got == []


def test_a_server_that_is_away_may_be_back_later(own):
    with SmtpServer() as server:
        pass
    with pytest.raises(Unavailable, match="connection refused"):
        smtp(server, own).send(LETTER, module="identity")


@pytest.mark.parametrize("url", ["http://mail.example", "smtp://", "smtp://host:x", "mail.example"])
def test_an_address_of_another_kind_is_refused_at_start(url):
    with pytest.raises(SettingError):
        SmtpMail(url, FROM, Gate, str)
    with pytest.raises(SettingError):
        sender_of("two@a.example, b@c.example", "box")
    assert sender_of("", "box.example") == "unibos@box.example"
