"""What provisioning does to a machine, below a directory that stands for it."""

import datetime as dt
import errno
import json
import os
import stat

import pytest
from unibos.adapters import appliance, atomic
from unibos.adapters.provision_words import fault_text
from unibos.wire.provision import CODES, Fault, Hub, Plan, ProvisionError, Wifi, parse

OWNER = (os.geteuid(), os.getegid())
ID = "0123456789abcdef0123456789abcdef"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f ada@laptop"
EVERYTHING = Plan("kitchen", "tr", "Europe/Istanbul", (KEY,), Wifi("TR", "Evimiz ☕", "four unrelated words", True), Hub("https://hub.example.org", "TOKENTOKEN"))


@pytest.fixture
def root(tmp_path):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/machine-id").write_text(ID + "\n")
    return tmp_path


def mode(path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def tree(root) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def test_a_name_is_chosen_once_from_the_machine(root):
    name = appliance.choose_name(root)
    assert name.startswith("unibos-") and len(name) == 11 and set(name[7:]) <= set(appliance.ALPHABET)
    assert (root / "etc/hostname").read_text() == name + "\n" and mode(root / "etc/hostname") == 0o644
    (root / "etc/hostname").write_text("\n")
    assert appliance.choose_name(root) == name  # the same machine, the same name
    (root / "etc/hostname").write_text("attic\n")
    assert appliance.choose_name(root) == "attic"
    (root / "etc/hostname").unlink()
    (root / "etc/machine-id").write_text(ID[::-1] + "\n")
    assert appliance.choose_name(root) != name


def test_machines_without_an_id_do_not_all_get_one_name(root):
    names = set()
    for _ in range(5):
        (root / "etc/machine-id").write_text("uninitialized\n")
        (root / "etc/hostname").unlink(missing_ok=True)
        names.add(appliance.choose_name(root))
    assert len(names) > 1


def test_everything_is_applied_with_the_right_modes_and_twice_is_once(root):
    done = appliance.apply(EVERYTHING, root, OWNER)
    before = tree(root)
    assert {name: mode(root / name) for name in before if name != "etc/machine-id"} == {
        "etc/hostname": 0o644, "etc/wpa_supplicant/imperative.conf": 0o600, "var/lib/unibos-appliance/authorized_keys": 0o644,
        "var/lib/unibos-appliance/choices.json": 0o644, "var/lib/unibos/node/enrol.json": 0o600}
    assert before["etc/hostname"] == b"kitchen\n" and before["var/lib/unibos-appliance/authorized_keys"] == KEY.encode() + b"\n"
    assert json.loads(before["var/lib/unibos/node/enrol.json"]) == {"url": "https://hub.example.org", "token": "TOKENTOKEN"}
    assert appliance.choices(root) == {"language": "tr", "timezone": "Europe/Istanbul"} and mode(root / "var/lib/unibos/node") == 0o700
    assert not any(secret in str(line) for line in done for secret in ("TOKEN", "four unrelated")) and len(done) == 6  # the sixth: this root knows no time zone
    assert appliance.apply(EVERYTHING, root, OWNER) == done and tree(root) == before


def test_what_is_not_named_stays(root):
    appliance.apply(EVERYTHING, root, OWNER)
    before = tree(root)
    assert appliance.apply(Plan(), root, OWNER) == [] and tree(root) == before
    appliance.apply(Plan(language="en"), root, OWNER)
    assert appliance.choices(root) == {"language": "en", "timezone": "Europe/Istanbul"}


def test_the_key_of_the_standard():
    # IEEE 802.11-2020 annex J.4.2, test cases 1 to 3.
    assert appliance.psk("password", b"IEEE") == "f42c6fc52df0ebef9ebb4b90b38a5f902e83fe1b135a70e23aed762e9710a12e"
    assert appliance.psk("ThisIsAPassword", b"ThisIsASSID") == "0dc0d6eb90555ed6419756b9a15ec3e3209b63df707dd508d14581f8982721af"
    assert appliance.psk("a" * 32, b"Z" * 32) == "becb93866bb8c3832cb777c2f559807c8c59afcb6eae734885001300a981cc62"


def test_the_words_of_the_supplicant():
    assert appliance.wpa_conf(Wifi("TR", "IEEE", "password", True)) == (
        "country=TR\nnetwork={\n\tssid=49454545\n\tscan_ssid=1\n\tpsk=f42c6fc52df0ebef9ebb4b90b38a5f902e83fe1b135a70e23aed762e9710a12e\n"
        "\tsae_password=70617373776f7264\n\tkey_mgmt=WPA-PSK SAE\n\tieee80211w=1\n}\n")
    assert appliance.wpa_conf(Wifi("GB", "Library")) == "country=GB\nnetwork={\n\tssid=4c696272617279\n\tkey_mgmt=NONE\n}\n"
    ready = appliance.wpa_conf(Wifi("US", "x", "0f" * 32))
    assert "psk=" + "0f" * 32 in ready and "SAE" not in ready and "sae_password" not in ready


def test_nothing_that_was_typed_can_mean_anything_to_the_supplicant():
    typed = 'ssid = "a\\"\\n}\\nnetwork={\\n ssid=\\"e"\npassword = \'x"\\n}\\nnetwork={ key_mgmt=NONE }\'\n'
    text = appliance.wpa_conf(parse(('[wifi]\ncountry = "TR"\n' + typed).encode()).wifi)
    assert text.count("network=") == 1 and text.count("}") == 1 and '"' not in text and text.isascii()
    assert {line.strip().partition("=")[0] for line in text.splitlines()} == {"country", "network", "ssid", "psk", "sae_password", "key_mgmt", "ieee80211w", "}"}


def test_the_supplicant_stays_the_owner_of_its_file(root, monkeypatch):
    folder, asked = root / "etc/wpa_supplicant", []
    folder.mkdir()
    (folder / "imperative.conf").write_text("old")
    real = os.stat

    def stat_of(path, **more):
        found = real(path, **more)
        return os.stat_result((*found[:4], 4242, 4343, *found[6:])) if path == "imperative.conf" else found

    monkeypatch.setattr(os, "stat", stat_of)
    monkeypatch.setattr(os, "fchown", lambda fd, uid, gid: asked.append((uid, gid)))
    appliance.apply(Plan(wifi=Wifi("TR", "x")), root, OWNER)
    assert asked == [(4242, 4343)]


def test_who_owns_a_file_already_asks_for_no_privilege(tmp_path, monkeypatch):
    def refused(*_):
        raise PermissionError(errno.EPERM, "the unit's filter of system calls")

    monkeypatch.setattr(os, "fchown", refused)
    atomic.write(tmp_path / "x", b"", 0o640, OWNER)
    with pytest.raises(PermissionError):
        atomic.write(tmp_path / "y", b"", 0o640, (OWNER[0] + 1, OWNER[1]))


def test_a_narrow_umask_hides_no_directory_that_others_read(tmp_path):
    before = os.umask(0o077)
    try:
        atomic.write(tmp_path / "new/x", b"", 0o644)
    finally:
        os.umask(before)
    assert (mode(tmp_path / "new"), mode(tmp_path / "new/x")) == (0o755, 0o644)


def test_a_link_that_a_service_planted_leads_root_nowhere(root, tmp_path):
    victim = tmp_path / "victim"
    victim.mkdir(mode=0o755)
    (victim / "enrol.json").write_text("mine")
    (root / "var/lib/unibos").mkdir(parents=True)
    (root / "var/lib/unibos/node").symlink_to(victim)
    with pytest.raises(OSError) as refused:
        appliance.apply(Plan(hub=EVERYTHING.hub), root, OWNER)
    assert refused.value.errno in (errno.ELOOP, errno.ENOTDIR) and (victim / "enrol.json").read_text() == "mine" and mode(victim) == 0o755
    (root / "var/lib/unibos/node").unlink()
    (root / "var/lib/unibos/node").mkdir()
    for name in ("enrol.json", ".enrol.json.new"):
        (root / "var/lib/unibos/node" / name).symlink_to(victim / "enrol.json")
    appliance.apply(Plan(hub=EVERYTHING.hub), root, OWNER)
    assert (victim / "enrol.json").read_text() == "mine" and not (root / "var/lib/unibos/node/enrol.json").is_symlink()


def test_a_good_file_is_overwritten_removed_and_reported(tmp_path):
    path, kept = tmp_path / "unibos.toml", tmp_path / "the same blocks"
    path.write_text('[wifi]\npassword = "hunter2hunter2"\n')
    size = path.stat().st_size
    os.link(path, kept)
    appliance.retire(path, ["The name is kitchen.", "İyi."], good=True)
    assert not path.exists() and kept.read_bytes() == b"#" * size
    assert parse(kept.read_bytes()) == Plan()  # a power cut before the removal asks for nothing
    assert (tmp_path / "unibos-report.txt").read_bytes() == "The name is kitchen.\r\nİyi.\r\n".encode()
    appliance.retire(path, ["Again."], good=True)  # the removal came through, the rest did not


def test_a_bad_file_stays(tmp_path):
    path = tmp_path / "unibos.toml"
    path.write_text("hostname = box\n")
    appliance.retire(path, ["Line 1."], good=False)
    assert path.read_text() == "hostname = box\n" and (tmp_path / "unibos-report.txt").read_text() == "Line 1.\n"


def test_the_screen_is_told(root):
    now = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)
    faults = (Fault("syntax", line=3), Fault("unknown-key", "hostnme", near="hostname"))
    assert appliance.noted(root) == ()
    appliance.note(root, faults, now)
    assert appliance.noted(root) == faults and mode(root / appliance.STATE) == 0o644
    assert json.loads((root / appliance.STATE).read_text())["state"] == "refused"
    appliance.note(root, (), now)
    assert appliance.noted(root) == () and json.loads((root / appliance.STATE).read_text()) == {"state": "applied", "faults": [], "at": "2026-11-23T00:00:00+00:00"}
    for harm in ("", "{", "[]", '{"faults": 5}', '{"faults": [{"code": "\\u001b"}]}', "[" * 9000):
        (root / appliance.STATE).write_text(harm)
        assert appliance.noted(root) == ()


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_fault_has_a_sentence_of_its_own(code):
    said = str(fault_text(Fault(code, "wifi.ssid", "text", "", 4)))
    assert said.endswith(".") and "%(" not in said
    assert (said == str(fault_text(Fault("unreadable")))) is (code == "unreadable")


def test_faults_say_where_and_what_instead():
    with pytest.raises(ProvisionError) as told:
        parse(b'hostnme = "x"\nwifi = 5\n[hubb]\n')
    assert [str(fault_text(f)) for f in told.value.faults] == [
        "There is no key hostnme. Did you mean hostname?", "There is no section [hubb]. Did you mean [hub]?",
        "wifi is a section: write [wifi] on a line of its own, and its keys below it."]
    assert str(fault_text(Fault("syntax", line=7))) == 'Line 7 cannot be read. Write it as: name = "value", with the quotation marks.'


def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path, monkeypatch):
    path = tmp_path / "x"
    atomic.write(path, b"old")

    def full(_fd):
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="full"):
        atomic.write(path, b"new")
    assert path.read_bytes() == b"old" and [p.name for p in tmp_path.iterdir()] == ["x"]


def test_a_time_zone_that_the_system_has_becomes_its_own(root):
    zone = root / "etc/zoneinfo/Europe/Istanbul"
    zone.parent.mkdir(parents=True)
    zone.write_bytes(b"TZif2")
    (root / "etc/localtime").write_bytes(b"old")
    done = appliance.apply(Plan(timezone="Europe/Istanbul"), root, OWNER)
    assert os.readlink(root / "etc/localtime") == "/etc/zoneinfo/Europe/Istanbul" and len(done) == 1
    said = appliance.apply(Plan(timezone="Europe/Atlantis"), root, OWNER)
    assert os.readlink(root / "etc/localtime") == "/etc/zoneinfo/Europe/Istanbul" and "Europe/Atlantis" in str(said[-1])
