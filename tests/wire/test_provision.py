"""The file unibos.toml: vectors, what is never shown, and that any bytes make a plan or faults and nothing else."""

import base64
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from unibos.wire import provision
from unibos.wire.provision import Fault, Plan, ProvisionError, from_json, parse, read_result, result, to_json

VECTORS = Path(__file__).parent.parent / "vectors" / "provision"


@pytest.mark.parametrize("path", sorted(VECTORS.glob("*/*.toml")), ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_the_vectors(path):
    wanted = path.with_suffix(".json").read_text(encoding="utf-8").rstrip("\n")
    data = path.read_bytes()
    assert result(data) == wanted
    if path.parent.name == "good":
        plan = parse(data)
        assert from_json(to_json(plan)) == plan == read_result(wanted + "\n")
        return
    with pytest.raises(ProvisionError) as direct:
        parse(data)
    with pytest.raises(ProvisionError) as told:
        read_result(wanted)
    assert direct.value.faults == told.value.faults
    assert "SECRET" not in wanted + str(direct.value) + repr(direct.value.faults)


def test_keys_as_openssh_writes_them_are_taken():
    made = [ed25519.Ed25519PrivateKey.generate(), rsa.generate_private_key(65537, 2048), *(ec.generate_private_key(c) for c in (
        ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()))]
    lines = [key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode() for key in made]
    assert parse(("ssh_keys = " + json.dumps([f"{line} ada@home" for line in lines])).encode()).ssh_keys == tuple(f"{line} ada@home" for line in lines)


@pytest.mark.parametrize("spoil", [lambda line: line[:-8], lambda line: line.replace("ssh-ed25519", "ssh-rsa", 1), lambda line: 'command="x" ' + line,
                                   lambda line: line + " a\nssh-rsa AAAA", lambda line: line.split()[1], lambda line: line + "AAAA"])
def test_a_key_that_was_not_copied_whole_is_refused(spoil):
    line = ed25519.Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    assert provision.ssh_key(line) == line
    assert provision.ssh_key(spoil(line)) is None


def test_what_is_secret_is_in_no_representation():
    plan = parse(b'[wifi]\ncountry = "TR"\nssid = "x"\npassword = "hunter2hunter2"\n[hub]\nurl = "h"\ntoken = "TOKENTOKEN"\n')
    assert plan.wifi.password == "hunter2hunter2" and plan.hub.token == "TOKENTOKEN"
    assert "hunter2" not in repr(plan) and "TOKEN" not in repr(plan)


@pytest.mark.parametrize("text", [
    "", "null", "[]", "{", '{"plan":{}} ', '{"plan":{},"faults":[]}', '{"faults":[]}', '{"faults":[{"code":"invented"}]}', '{"faults":[{"code":"syntax","line":0}]}',
    '{"faults":[{"code":"syntax","line":true}]}', '{"faults":[{"code":"type","more":"x"}]}', '{"faults":[{"code":"type","key":"\\u001b[2J"}]}', '{"faults":["x"]}',
    '{"plan":{"hostname":"Box"}}', '{"plan":{"hostname":"a","hostname":"b"}}', '{"plan":{"wifi":{"country":"TR","hidden":false,"ssid":"x"}}}',
    '{"plan":{"root":"x"}}', '{"plan":{"ssh_keys":[]}}', '{"plan":{"wifi":{"country":"TR","ssid":"\\ud800"}}}', "[" * 100_000, '{"plan":' + "1" * 5000 + "}",
    '{"plan":{"hub":{"token":"abcdefgh","url":"https://hub.example.org/"}}}'])
def test_the_one_who_acts_believes_nothing_but_the_canonical_form(text):
    with pytest.raises(ProvisionError):
        read_result(text)


def test_a_long_list_of_faults_has_an_end():
    with pytest.raises(ProvisionError) as told:
        parse("".join(f"a{n} = 1\n" for n in range(500)).encode())
    assert len(told.value.faults) == provision.MAX_FAULTS
    with pytest.raises(ProvisionError):
        read_result(result("".join(f"a{n} = 1\n" for n in range(500)).encode()))


@pytest.mark.parametrize("data", [b"a=" + b"[" * 8000, b"a=" + b"1" * 9000, b".".join([b"a"] * 8000) + b"=1", b"a=" + b"{b=" * 4000, b"\x00", b"\xff\xfe", b"a=0x" + b"f" * 9000])
def test_what_is_built_to_hurt_the_parser_is_a_fault(data):
    with pytest.raises(ProvisionError):
        parse(data)


def either(data: bytes) -> None:
    """Either a plan that survives its JSON, or faults with known codes; the reader's line says the same."""
    try:
        plan = parse(data)
    except ProvisionError as error:
        assert error.faults and all(f.code in provision.CODES for f in error.faults)
        with pytest.raises(ProvisionError) as told:
            read_result(result(data))
        assert told.value.faults == error.faults
        return
    assert isinstance(plan, Plan) and from_json(to_json(plan)) == plan == read_result(result(data))


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes(data):
    either(data)


_WORDS = [*provision.NAMES, *(n.rpartition(".")[2] for n in provision.NAMES), "[wifi]", "[hub]", "[[wifi]]", "=", "\n", "\r\n", '"', "'''", "{", "}", "[", "]", ",", "true",
          "1979-05-27", "0x1f", "é", "#", "\\u0000", "\\", "."]


@settings(deadline=None)
@given(st.lists(st.sampled_from(_WORDS) | st.text(max_size=4), max_size=40))
def test_any_words(words):
    either(" ".join(words).encode(errors="replace"))


@settings(deadline=None)
@given(st.fixed_dictionaries({}, optional={"hostname": st.text(max_size=70), "language": st.sampled_from(["en", "tr", "de"]), "timezone": st.text(max_size=70),
                                           "ssh_keys": st.lists(st.text(max_size=80), max_size=3)}),
       st.none() | st.fixed_dictionaries({}, optional={"country": st.text(max_size=3), "ssid": st.text(max_size=40), "password": st.text(max_size=70),
                                                       "hidden": st.booleans() | st.integers()}),
       st.none() | st.fixed_dictionaries({}, optional={"url": st.text(max_size=60), "token": st.text(max_size=40)}))
def test_any_values(top, wifi, hub):
    def table(values):
        # JSON's text is TOML's, but for DEL; half pairs are in neither.
        return "".join(f"{k} = {json.dumps(v, ensure_ascii=False)}\n".replace("\x7f", "\\u007f").encode(errors="replace").decode() for k, v in values.items())

    text = table(top) + ("" if wifi is None else "[wifi]\n" + table(wifi)) + ("" if hub is None else "[hub]\n" + table(hub))
    either(text.encode())


@settings(deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
    st.sampled_from([*provision.NAMES, "wifi", "hub", "plan", "faults", "code", "line"]), inner, max_size=3), max_leaves=12))
def test_any_json_from_a_reader_that_was_taken_over(value):
    try:
        assert isinstance(read_result(json.dumps(value, sort_keys=True, separators=(",", ":"))), Plan)
    except ProvisionError:
        pass


def test_near_names():
    assert provision.nearest("", "host-name") == "hostname" and provision.nearest("wifi", "passwort") == "wifi.password"
    assert provision.nearest("", "ssid") == "wifi.ssid" and provision.nearest("", "wlan", True) == "" and provision.nearest("hub", "xyz") == ""


def test_base64_is_the_only_spelling_of_a_blob():
    blob = base64.b64encode(b"\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20" + bytes(32)).decode()
    assert provision.ssh_key(f"ssh-ed25519  {blob}   my key ") == f"ssh-ed25519 {blob} my key"
    assert provision.ssh_key(f"ssh-ed25519 {blob.replace('A', '-', 1)}") is None
    assert Fault("ssh-key") == Fault("ssh-key", "", "", "", None)
