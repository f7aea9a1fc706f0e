"""What is wrong with a `unibos.toml`, as sentences that say what to write instead (docs/spec/provision.md)."""

from __future__ import annotations

from collections.abc import Callable

from unibos.kernel.words import T, Text
from unibos.wire.provision import Fault

_TYPES: dict[str, Callable[[str], Text]] = {
    "text": lambda key: T("%(key)s takes text: write it in quotation marks.", key=key),
    "list": lambda key: T("%(key)s takes a list: write it in square brackets, each part in quotation marks.", key=key),
    "table": lambda key: T("%(key)s is a section: write [%(key)s] on a line of its own, and its keys below it.", key=key),
    "boolean": lambda key: T("%(key)s takes true or false, without quotation marks.", key=key),
}
_VALUES: dict[str, Callable[[Fault], Text]] = {
    "hostname": lambda f: T("hostname is “%(value)s”. Use at most 63 letters a to z, digits and hyphens, with no hyphen at either end, such as kitchen-box.",
                            value=f.value),
    "language": lambda f: T("language is “%(value)s”. Write en or tr.", value=f.value),
    "timezone": lambda f: T("timezone is “%(value)s”. Write it as Europe/Istanbul.", value=f.value),
    "country": lambda f: T("%(key)s is “%(value)s”. Write the two letters of the country, such as TR.", key=f.key, value=f.value),
    "ssid": lambda f: T("%(key)s is “%(value)s”. Write the name of the network, 1 to 32 bytes long.", key=f.key, value=f.value),
    "password": lambda f: T("%(key)s must have 8 to 63 letters, digits or signs of plain ASCII. For an open network leave it out.", key=f.key),
    "url": lambda f: T("%(key)s is no address of a hub. Write it as https://hub.example.org, with nothing behind it.", key=f.key),
    "token": lambda f: T("%(key)s is no enrolment token. Copy it from the hub again.", key=f.key),
    "ssh-key": lambda f: T("%(key)s is no whole public key. Copy the one line of the .pub file, such as id_ed25519.pub.", key=f.key),
    "private-key": lambda f: T("%(key)s is a private key, which must not leave your computer. Copy the one line of the .pub file instead, and make a new key.",
                               key=f.key),
    "too-many": lambda f: T("%(key)s takes at most %(most)s keys.", key=f.key, most=f.value),
    "too-large": lambda f: T("The file is larger than %(most)s bytes. Leave out what is not needed.", most=f.value),
    "missing": lambda f: T("%(key)s is missing.", key=f.key),
}


def fault_text(fault: Fault) -> Text:
    """What to write instead, in one sentence or two."""
    if fault.code in _VALUES:
        return _VALUES[fault.code](fault)
    if fault.code == "type":
        return _TYPES.get(fault.value, _TYPES["text"])(fault.key)
    if fault.code == "encoding":
        return T("Line %(line)s is not UTF-8. Save the file as text in UTF-8.", line=fault.line)
    if fault.code == "syntax" and fault.line:
        return T("Line %(line)s cannot be read. Write it as: name = \"value\", with the quotation marks.", line=fault.line)
    if fault.code == "syntax":
        return T("The file is not in the format TOML.")
    if fault.code in ("unknown-key", "unknown-section"):
        return _unknown(fault)
    return T("The file could not be read by the box. Start it again, or write the file anew.")


def _unknown(fault: Fault) -> Text:
    section = fault.code == "unknown-section"
    if fault.near and section:
        return T("There is no section [%(key)s]. Did you mean [%(near)s]?", key=fault.key, near=fault.near)
    if section:
        return T("There is no section [%(key)s]. Take it out.", key=fault.key)
    if fault.near:
        return T("There is no key %(key)s. Did you mean %(near)s?", key=fault.key, near=fault.near)
    return T("There is no key %(key)s. Take the line out.", key=fault.key)
