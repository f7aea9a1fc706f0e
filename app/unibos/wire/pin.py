"""The pin of an authority: the short text that ties an enrolment token to a hub's own CA (docs/spec/pin.md).

The pin is the first 26 characters, 130 bits, of the Base32 (RFC 4648, no padding) of SHA-256 over the DER of the CA's certificate
(RFC 5280). A joined text is TOKEN, or TOKEN.PIN.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import ssl

MAX_PEM = 4096
PIN = re.compile(r"[A-Z2-7]{26}")


def der(pem: str | bytes) -> bytes:
    """The DER of the one CA certificate in a PEM text (RFC 7468).

    Raises ValueError for anything else: text over 4096 bytes, no or several blocks, a certificate that may not sign others. Whoever
    trusts must keep what `pem(der(…))` says and never the text that came, which could hold a second certificate.
    """
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import Encoding

    raw = pem.encode() if isinstance(pem, str) else pem
    if len(raw) > MAX_PEM or raw.count(b"-----BEGIN ") != 1:
        raise ValueError("not one certificate of at most 4096 bytes")
    try:
        found = x509.load_pem_x509_certificate(raw)
        able = found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, x509.InvalidVersion, UnsupportedAlgorithm) as error:
        raise ValueError("not the certificate of an authority") from error
    if not able:
        raise ValueError("not the certificate of an authority")
    return found.public_bytes(Encoding.DER)


def pem(certificate: bytes) -> str:
    """The PEM text of a DER certificate, always written alike."""
    return ssl.DER_cert_to_PEM_cert(certificate)


def pin(certificate: bytes) -> str:
    """The 26 characters for a DER certificate."""
    return base64.b32encode(hashlib.sha256(certificate).digest()).decode()[:26]


def matches(certificate: bytes, wanted: str) -> bool:
    """Whether `wanted` is the certificate's pin, compared in constant time."""
    return hmac.compare_digest(pin(certificate).encode(), wanted.encode())


def joined(token: str, certificate: bytes) -> str:
    """What a person copies: TOKEN.PIN."""
    return f"{token}.{pin(certificate)}"


def split(text: str) -> tuple[str, str]:
    """(token, pin); the pin is empty where the text has none. Raises ValueError for a pin that was cut off or mistyped.

    A damaged pin is never taken for none: the node would trust more than the token was made for.
    """
    token, dot, wanted = text.strip().partition(".")
    wanted = wanted.upper()
    if dot and not PIN.fullmatch(wanted):
        raise ValueError("not a pin")
    return token, wanted
