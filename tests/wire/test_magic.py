"""Files are what their first bytes say."""

import pytest
from unibos.wire.magic import sniff


@pytest.mark.parametrize(("head", "kind"), [
    (b"\x89PNG\r\n\x1a\n....", "image/png"), (b"\xff\xd8\xff\xe0", "image/jpeg"), (b"II*\x00", "image/tiff"), (b"MM\x00*", "image/tiff"),
    (b"%PDF-1.7", "application/pdf"), (b"\n\n%PDF-1.4", "application/pdf"), (b"", None), (b"GIF89a", None), (b"<html>", None),
    (b"x" * 2000 + b"%PDF-", None), (b"PK\x03\x04", None)])
def test_sniff(head, kind):
    assert sniff(head) == kind
