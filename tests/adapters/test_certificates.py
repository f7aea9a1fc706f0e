"""The appliance's certificates, judged by the real openssl and by a real handshake; renewal, damage, wrong clocks."""

import datetime as dt
import shutil
import socket
import ssl
import stat
import subprocess
import threading

import pytest
from unibos.adapters import certificates
from unibos.adapters.certificates import ensure, fingerprint

NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)
BUILT = NOW - dt.timedelta(days=22)
NAMES = ["kitchen.local", "kitchen", "hub-kitchen.local"]
HOME = ["192.168.1.20", "fd00::5", "127.0.0.1", "203.0.113.9"]


@pytest.fixture
def box(tmp_path):
    def run(names=NAMES, addresses=HOME, now=NOW, built=BUILT):
        return ensure(tmp_path / "ca", tmp_path / "leaf", names, addresses, now, built)

    run.ca, run.leaf = tmp_path / "ca", tmp_path / "leaf"
    return run


def verifies(box, leaf=None, *more: str) -> bool:
    """Whether openssl trusts the leaf by the authority alone, strictly."""
    done = subprocess.run(["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", box.ca / "ca.pem", *more, leaf or box.leaf / "leaf.pem"],
                          capture_output=True, text=True, check=False)
    return done.returncode == 0


def text_of(path) -> str:
    return subprocess.run(["openssl", "x509", "-in", path, "-noout", "-text"], capture_output=True, text=True, check=True).stdout


def files(box) -> dict:
    return {p: p.read_bytes() for folder in (box.ca, box.leaf) for p in folder.iterdir()}


def handshake(box, name: str, trust=None) -> str:
    """The fingerprint of the certificate that a server shows to a client that asks for `name`; raises what the client's check raises."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(box.leaf / "leaf.pem", box.leaf / "leaf-key.pem")
    client = ssl.create_default_context(cafile=trust or box.leaf / "ca.pem")
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)

        def serve():
            connection, _ = listener.accept()
            with connection:
                try:
                    server.wrap_socket(connection, server_side=True).close()
                except OSError:
                    pass

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            with socket.create_connection(listener.getsockname(), 10) as plain, client.wrap_socket(plain, server_hostname=name) as tls:
                return fingerprint(ssl.DER_cert_to_PEM_cert(tls.getpeercert(binary_form=True)))
        finally:
            thread.join()


def test_openssl_trusts_what_was_made_and_a_browser_can_reach_it(box):
    done = box()
    assert done.ca and done.leaf and all(map(str, done.why))
    assert verifies(box) and verifies(box, None, "-verify_hostname", "kitchen.local") and verifies(box, None, "-verify_ip", "192.168.1.20")
    assert not verifies(box, None, "-verify_hostname", "example.org") and not verifies(box, None, "-verify_ip", "203.0.113.9")
    shown = fingerprint((box.leaf / "leaf.pem").read_bytes())
    openssl = subprocess.run(["openssl", "x509", "-in", box.leaf / "leaf.pem", "-noout", "-fingerprint", "-sha256"], capture_output=True, text=True, check=True)
    assert shown == openssl.stdout.strip().partition("=")[2]
    assert handshake(box, "kitchen.local") == handshake(box, "192.168.1.20") == handshake(box, "fd00::5") == shown
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        handshake(box, "other.local")


def test_what_stands_in_the_certificates_and_who_may_read_them(box):
    box()
    ca, leaf = text_of(box.ca / "ca.pem"), text_of(box.leaf / "leaf.pem")
    assert "CA:TRUE, pathlen:0" in ca and "Name Constraints: critical" in ca and "prime256v1" in ca and "Certificate Sign" in ca and "CRL Sign" not in ca
    for bound in ("DNS:local", "DNS:home.arpa", "DNS:internal", "DNS:kitchen", "IP:10.0.0.0/255.0.0.0", "IP:192.168.0.0/255.255.0.0"):
        assert bound in ca
    assert "DNS:kitchen.local" not in ca
    assert "CA:FALSE" in leaf and "TLS Web Server Authentication" in leaf and "DNS:kitchen.local, DNS:kitchen, DNS:hub-kitchen.local, IP Address:192.168.1.20" in leaf
    assert "203.0.113.9" not in leaf and "127.0.0.1" not in leaf
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for folder in (box.ca, box.leaf) for p in folder.iterdir()}
    assert modes == {"ca-key.pem": 0o600, "ca.pem": 0o644, "leaf-key.pem": 0o640, "leaf.pem": 0o644}
    assert (box.leaf / "leaf.pem").read_bytes().endswith((box.leaf / "ca.pem").read_bytes()) and (box.ca / "ca.pem").read_bytes() == (box.leaf / "ca.pem").read_bytes()


def test_nothing_is_done_twice_until_a_third_of_the_life_is_left(box):
    box()
    before = files(box)
    for now in (NOW, NOW + dt.timedelta(days=200)):
        done = box(now=now)
        assert (done.ca, done.leaf) == (False, False) and "good until" in str(done.why[0])
    assert files(box) == before
    done = box(now=NOW + dt.timedelta(days=270))
    assert (done.ca, done.leaf) == (False, True) and "renewed" in str(done.why[0])
    changed = {p.name for p, data in files(box).items() if before[p] != data}
    assert changed == {"leaf.pem"}  # the key stays, so that a power cut cannot part the two
    assert verifies(box, None, "-attime", str(int((NOW + dt.timedelta(days=600)).timestamp())))


@pytest.mark.parametrize(("change", "what"), [({"addresses": [*HOME, "192.168.1.21"]}, "192.168.1.21"), ({"names": [*NAMES, "attic.local"]}, "attic.local"),
                                              ({"addresses": ["169.254.3.4"]}, "169.254.3.4"), ({"names": ["a.home.arpa"]}, "a.home.arpa")])
def test_a_missing_name_or_address_is_added(box, change, what):
    box()
    done = box(**change)
    assert (done.ca, done.leaf) == (False, True) and what in str(done.why[0]) and verifies(box) and what in text_of(box.leaf / "leaf.pem")
    assert not box(**change).leaf


@pytest.mark.parametrize("less", [{"addresses": []}, {"names": NAMES[:1]}, {"addresses": ["203.0.113.77", "2001:db8::1"]}])
def test_what_is_there_and_not_asked_for_is_no_reason(box, less):
    box()
    assert not box(**less).leaf


def test_a_name_outside_the_authority_is_left_out_and_said(box):
    box()
    done = box(names=["attic", "attic.local", "evil.example.org"])
    assert done.leaf and not done.ca and "attic, evil.example.org" in str(done.why[0])
    assert verifies(box) and "evil" not in text_of(box.leaf / "leaf.pem") and handshake(box, "attic.local")


def test_the_authority_cannot_vouch_for_the_rest_of_the_web(box, tmp_path):
    """Whoever steals its key: a leaf signed for a foreign name or address is refused by openssl."""
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    box()
    key = load_pem_private_key((box.ca / "ca-key.pem").read_bytes(), None)
    authority = certificates._load(box.ca / "ca.pem")[0]
    for names, numbers, good in ((["bank.example.org"], [], False), (["kitchen.local"], ["203.0.113.9"], False), (["any.local"], ["10.1.2.3"], True)):
        leaf = certificates._make_leaf(certificates._new_key(), key, authority, names, [certificates._address(n) for n in numbers], NOW)
        (tmp_path / "stolen.pem").write_bytes(certificates._pem(leaf))
        assert verifies(box, tmp_path / "stolen.pem") is good, names


@pytest.mark.parametrize("name", ["ca/ca-key.pem", "ca/ca.pem", "leaf/ca.pem", "leaf/leaf-key.pem", "leaf/leaf.pem"])
@pytest.mark.parametrize("harm", ["gone", "empty", "half", "another box's"])
def test_every_file_that_a_power_cut_spoils_heals(box, tmp_path, name, harm):
    box()
    trusted = tmp_path / "as-a-phone-keeps-it.pem"
    shutil.copy(box.ca / "ca.pem", trusted)
    path = tmp_path / name
    if harm == "gone":
        path.unlink()
    elif harm == "another box's":
        ensure(tmp_path / "x/ca", tmp_path / "x/leaf", NAMES, HOME, NOW, BUILT)
        shutil.copy(tmp_path / "x" / name, path)
    else:
        path.write_bytes(b"" if harm == "empty" else path.read_bytes()[:100])
    done = box()
    assert verifies(box) and handshake(box, "kitchen.local")
    if name != "ca/ca-key.pem":
        assert not done.ca and handshake(box, "kitchen.local", trusted), "who trusts the authority must not be asked again"
    assert not box().leaf


def test_an_authority_whose_two_copies_are_gone_is_made_again_from_its_key(box, tmp_path):
    box()
    shutil.copy(box.ca / "ca.pem", tmp_path / "old.pem")
    (box.ca / "ca.pem").unlink()
    (box.leaf / "ca.pem").unlink()
    done = box()
    assert done.ca and done.leaf and "from its key" in str(done.why[0])
    assert handshake(box, "kitchen.local", tmp_path / "old.pem") and handshake(box, "kitchen.local")


def test_an_authority_near_its_end_is_replaced(box):
    box()
    before = (box.ca / "ca-key.pem").read_bytes()
    done = box(now=NOW + dt.timedelta(days=certificates.CA_DAYS - 300))
    assert done.ca and done.leaf and (box.ca / "ca-key.pem").read_bytes() != before and verifies(box, None, "-no_check_time")


def test_a_clock_that_was_never_set_makes_certificates_that_are_good_now(box):
    box(now=dt.datetime(1970, 1, 1, 0, 0, 40, tzinfo=dt.UTC), built=NOW - dt.timedelta(days=2))
    assert verifies(box) and verifies(box, None, "-attime", str(int(NOW.timestamp()) + 380 * 86400)) and handshake(box, "kitchen.local")
    assert not box(now=dt.datetime(1970, 1, 2, tzinfo=dt.UTC), built=NOW - dt.timedelta(days=2)).leaf


def test_a_clock_that_is_not_set_does_not_spoil_a_later_certificate_but_a_set_one_corrects_it(box):
    box(now=NOW + dt.timedelta(days=1000))
    assert not box(now=dt.datetime(1970, 1, 1, tzinfo=dt.UTC)).leaf
    done = box(now=NOW)
    assert done.leaf and "future" in str(done.why[0]) and verifies(box)


def test_a_folder_that_cannot_be_written_is_an_error_and_not_damage(tmp_path):
    (tmp_path / "leaf").write_text("a file")
    with pytest.raises(OSError):
        ensure(tmp_path / "ca", tmp_path / "leaf", NAMES, HOME, NOW, BUILT)


def test_names_are_tidied():
    assert certificates._names(["Kitchen.Local.", "kitchen.local", "büro.local", "", "a..b", "x_y.local", " a-b "]) == ["kitchen.local", "a-b"]
    with pytest.raises(ValueError):
        fingerprint("no certificate")
