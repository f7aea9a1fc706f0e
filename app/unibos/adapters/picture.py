"""What Pillow does with foreign pictures. Runs in a process of its own with bounds (see `reader`), for a decoder may crash or grow.

Called as `main([verb, source, format, page, target, size, pixels])`; prints one JSON object: {"pages": n}, {} or {"error": code}.
"""

from __future__ import annotations

import json
import sys
import warnings
from typing import Any

A4_300DPI = (2480, 3508)
FRAMES = 2001
OCR_PIXELS = 25_000_000


class Bad(Exception):
    """A picture that cannot be used; the argument is the code that `reader` knows."""


def opened(source: str, kind: str, page: int, pixels: int) -> Any:
    """The frame `page` (from 1) of a picture of format `kind`, its pixels not yet read. Raises Bad."""
    from PIL import Image, UnidentifiedImageError

    Image.MAX_IMAGE_PIXELS = None  # checked here, for each frame, with a clear answer
    try:
        image = Image.open(source, formats=(kind,))
        if page > 1:
            image.seek(page - 1)
    except EOFError:
        raise Bad("no-page") from None
    except (UnidentifiedImageError, SyntaxError, ValueError, OSError):
        raise Bad("broken") from None
    if image.width * image.height > pixels:
        raise Bad("pixels")
    return image


def frames(source: str, kind: str, pixels: int) -> int:
    """How many pages there are, at most FRAMES are counted."""
    image = opened(source, kind, 1, pixels)
    count = 1
    while kind == "TIFF" and count < FRAMES:
        try:
            image.seek(count)
        except EOFError:
            break
        count += 1
    return count


def upright(image: Any, mode: str, size: tuple[int, int], most: tuple[int, int]) -> Any:
    """The picture turned as its EXIF says, shrunk into `most`, on white, in 8 bits a channel.

    A JPEG is decoded in steps of two no smaller than `size`. What takes memory comes after the shrinking.
    """
    from PIL import Image, ImageOps

    image.draft(mode, size)
    image.load()
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode.startswith("I") or image.mode == "F":
        low, high = image.getextrema()
        scale = 255 / 65535 if image.mode != "F" and high > 255 else 255 / (high - low or 1) if image.mode == "F" else 1
        image = image.point(lambda value: value * scale).convert("L")
    elif image.has_transparency_data and image.mode != "RGBA":
        image = image.convert("RGBA")
    elif image.mode in ("1", "P"):
        image = image.convert("RGB" if image.mode == "P" else "L")
    image.thumbnail(most, Image.Resampling.LANCZOS)
    if image.mode == "RGBA":
        ground = Image.new("RGBA", image.size, "white")
        ground.alpha_composite(image)
        image = ground
    return image.convert(mode)


def grey(image: Any) -> Any:
    """In grey and at most OCR_PIXELS large, for the text recognition. A JPEG is decoded no larger than A4 at 300 dpi needs."""
    size = A4_300DPI if image.height >= image.width else A4_300DPI[::-1]
    scale = min(1.0, (OCR_PIXELS / (image.width * image.height)) ** 0.5)
    side = max(1, round(scale * max(image.width, image.height)))
    return upright(image, "L", size, (side, side))


def small(image: Any, width: int) -> Any:
    """In colour, at most `width` wide and four times as high, for the panel."""
    return upright(image, "RGB", (width, width), (width, 4 * width))


def main(arguments: list[str]) -> None:
    """Do what `arguments` say and print the answer as JSON."""
    verb, source, kind, page, target, size, pixels = arguments
    answer: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd metadata of foreign files is no news
        try:
            if verb == "pages":
                answer["pages"] = frames(source, kind, int(pixels))
            else:
                image = opened(source, kind, int(page), int(pixels))
                if verb == "grey":
                    grey(image).save(target, "PNG", compress_level=1)
                else:
                    small(image, int(size)).save(target, "WEBP", quality=80)
        except Bad as error:
            answer["error"] = error.args[0]
        except MemoryError:
            answer["error"] = "memory"
        except (OSError, SyntaxError, ValueError, EOFError, ArithmeticError, TypeError, LookupError, RuntimeError):
            answer["error"] = "broken"  # Pillow's readers raise all of these for damaged files
    sys.stdout.write(json.dumps(answer))
