"""Settings: sources, roles, secrets, and refusal of what is unknown or malformed."""

import pytest
from unibos.kernel.errors import SettingError
from unibos.kernel.settings import KERNEL_SETTINGS, Setting, load
from unibos.kernel.words import T


def test_a_role_has_its_own_default_and_its_own_name():
    assert load(KERNEL_SETTINGS, "hub", {})["UNIBOS_PORT"] == 8000
    assert load(KERNEL_SETTINGS, "node", {})["UNIBOS_PORT"] == 8001
    both = {"UNIBOS_PORT": "9000", "UNIBOS_NODE_PORT": "9001"}
    assert load(KERNEL_SETTINGS, "hub", both)["UNIBOS_PORT"] == 9000
    assert load(KERNEL_SETTINGS, "node", both)["UNIBOS_PORT"] == 9001


def test_the_environment_wins_over_the_file_and_the_source_is_told(tmp_path):
    file = tmp_path / "unibos.toml"
    file.write_text('unibos_port = 7000\nhub_region = "us"\n')
    settings = load(KERNEL_SETTINGS, "hub", {"UNIBOS_CONFIG": str(file), "UNIBOS_PORT": "7001"})
    assert settings["UNIBOS_PORT"] == 7001 and settings["HUB_REGION"] == "us"
    assert settings.where("UNIBOS_PORT") == "environment: UNIBOS_PORT" and str(file) in settings.where("HUB_REGION")
    assert settings.where("UNIBOS_HOST") == "default"


def test_a_secret_may_lie_in_a_file_and_is_never_shown(tmp_path):
    (tmp_path / "url").write_text("postgresql://app:s3cret@db/unibos\n")
    settings = load(KERNEL_SETTINGS, "hub", {"UNIBOS_DATABASE_URL_FILE": str(tmp_path / "url")})
    assert settings["UNIBOS_DATABASE_URL"].endswith("@db/unibos")
    assert all("s3cret" not in e.shown() for e in settings.effective())
    with pytest.raises(SettingError, match="UNIBOS_DATABASE_URL_FILE names a file that cannot be read"):
        load(KERNEL_SETTINGS, "hub", {"UNIBOS_DATABASE_URL_FILE": str(tmp_path / "absent")})


@pytest.mark.parametrize(("name", "value", "words"), [
    ("UNIBOS_PORTT", "1", "There is no setting UNIBOS_PORTT.*Did you mean UNIBOS_PORT"),
    ("UNIBOS_PORT", "abc", "UNIBOS_PORT is 'abc', but it takes a port"),
    ("UNIBOS_PORT", "70000", "takes a port"),
    ("HUB_ROLE", "boss", "takes primary, standby, regional"),
    ("UNIBOS_REDIS_URL", "localhost", "takes an address with a scheme"),
    ("UNIBOS_TLS_PROXY", "perhaps", "takes yes or no"),
])
def test_what_is_unknown_or_malformed_stops_the_start(name, value, words):
    with pytest.raises(SettingError, match=words):
        load(KERNEL_SETTINGS, "hub", {name: value})


def test_a_secret_that_is_malformed_is_not_repeated():
    secret = Setting("UNIBOS_X", "url", "", T("x"), secret=True)
    with pytest.raises(SettingError) as told:
        load([secret], "hub", {"UNIBOS_X": "hunter2"})
    assert "hunter2" not in str(told.value)


def test_an_unknown_key_of_the_file_is_named_with_the_file(tmp_path):
    file = tmp_path / "unibos.toml"
    file.write_text("unibos_colour = 1\n")
    with pytest.raises(SettingError, match=r"UNIBOS_COLOUR \(in .*unibos.toml\)"):
        load(KERNEL_SETTINGS, "hub", {"UNIBOS_CONFIG": str(file)})
