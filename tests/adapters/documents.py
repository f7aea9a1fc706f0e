"""Documents made for tests: drawn pages, and PDFs written by hand."""

import hashlib
import io
import zlib
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

FONT = Path("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf")  # Debian: fonts-dejavu-core
PADDING = bytes.fromhex("28BF4E5E4E758A4164004E56FFFA01082E2E00B6D0683E802F0CA9FE6453697A")


def drawn(lines, size=40, margin=60, mode="L", width=1300):
    """A page with these lines of text, black on white."""
    image = Image.new("RGB", (width, 2 * margin + int(1.6 * size) * len(lines)), "white")
    draw, font = ImageDraw.Draw(image), ImageFont.truetype(FONT, size)
    for number, line in enumerate(lines):
        draw.text((margin, margin + int(1.6 * size) * number), line, "black", font)
    return image.convert(mode)


def saved(image, kind, **options):
    """The bytes of the picture as a file of format `kind`."""
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def pdf(pages=(), extra=b"", trailer=b"", size=(595, 842), encrypt=lambda number, content: content, content=None):
    """A minimal PDF; each page is a list of ASCII lines set in Helvetica (or `content` as its drawing operators)."""
    numbers = [4 + 2 * n for n in range(len(pages))]
    objects = {1: b"<< /Type /Catalog /Pages 2 0 R >>",
               2: b"<< /Type /Pages /Kids [%s] /Count %d >>" % (b" ".join(b"%d 0 R" % n for n in numbers), len(pages)),
               3: b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"}
    for number, lines in zip(numbers, pages, strict=True):
        drawing = content or b"BT /F1 14 Tf 50 780 Td " + b" ".join(b"(%s) Tj 0 -20 Td" % line.encode("ascii") for line in lines) + b" ET"
        drawing = encrypt(number + 1, drawing)
        objects[number] = (b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %d %d] /Resources << /Font << /F1 3 0 R >> >> /Contents %d 0 R >>"
                           % (*size, number + 1))
        objects[number + 1] = b"<< /Length %d >>\nstream\n%s\nendstream" % (len(drawing), drawing)
    out, places = b"%PDF-1.4\n", {}
    for number, body in sorted(objects.items()):
        places[number] = len(out)
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    out += extra
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + b"".join(b"%010d 00000 n \n" % places[n] for n in sorted(places))
    return out + b"trailer\n<< /Size %d /Root 1 0 R %s >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, trailer, start)


def rc4(key, data):
    state, j, out = list(range(256)), 0, bytearray()
    for i in range(256):
        j = (j + state[i] + key[i % len(key)]) % 256
        state[i], state[j] = state[j], state[i]
    i = j = 0
    for byte in data:
        i = (i + 1) % 256
        j = (j + state[i]) % 256
        state[i], state[j] = state[j], state[i]
        out.append(byte ^ state[(state[i] + state[j]) % 256])
    return bytes(out)


def locked_pdf(lines, user=b"", owner=b"owner"):
    """A PDF under the standard security handler, revision 2 (ISO 32000-1, 7.6.3): 40-bit RC4."""
    identity, rights = b"0123456789abcdef", -4
    owner_entry = rc4(hashlib.md5((owner + PADDING)[:32]).digest()[:5], (user + PADDING)[:32])
    key = hashlib.md5((user + PADDING)[:32] + owner_entry + rights.to_bytes(4, "little", signed=True) + identity).digest()[:5]
    dictionary = b"/Encrypt << /Filter /Standard /V 1 /R 2 /O <%s> /U <%s> /P %d >> /ID [<%s> <%s>]" % (
        owner_entry.hex().encode(), rc4(key, PADDING).hex().encode(), rights, identity.hex().encode(), identity.hex().encode())

    def encrypt(number, content):
        return rc4(hashlib.md5(key + number.to_bytes(3, "little") + b"\0\0").digest()[:10], content)

    return pdf([lines], trailer=dictionary, encrypt=encrypt)


def png_claiming(width, height):
    """A PNG that says it is so large and has next to no content."""
    def chunk(kind, body):
        return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")

    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 0, 0, 0, 0])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100_000))) + chunk(b"IEND", b"")
