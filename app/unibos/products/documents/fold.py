"""Words for full-text search: one folding for index and query, on SQLite FTS5 and PostgreSQL alike. Pure.

`fold` makes of any text words of [a-z0-9] (letters of other scripts are kept) between single spaces, so that neither engine's own
rules matter: index `fold(text)` with FTS5's default tokenizer, or with `to_tsvector('simple', fold(text))`.

`terms` makes of a query one group of alternatives for each word. All groups must be found (AND), one alternative of each suffices (OR).
An alternative is a whole word, `stem*` for everything that begins so, or several words for a phrase. Decided here:

- A word of four letters and more finds everything that begins with it: who has typed half a word sees hits already.
- A word of up to three letters finds itself and its inflected forms only, one by one: "kar" finds "karı" and "karlar", not "karpuz".
- Turkish suffixes of the query are taken off (plural, possessive, case, -ki, -dir, in this order from the end). What is left finds
  all that begins with it when it has five letters, else its inflected forms only: "okulda" finds "okula", "agenda" no "agency".
  Only plural and place endings are taken off to leave three letters, only the plural to leave two: "kadın" finds no "kadı".
- Last consonants soften (kitap/kitabı, kanat/kanadı, renk/rengi, çocuk/çocuğu), some last vowels fall (şehir/şehri).
- English plurals find their singular and the other way round. Numbers find themselves only.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache

Terms = list[tuple[str, ...]]

LONGEST = 64
MOST_TERMS = 16
_MARKS = ("\u00ad\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u0640\u064b-\u065f"
          "\u0670\u06d6-\u06dc\u06df-\u06e8\u06ea-\u06ed\u0900-\u0903\u093a-\u094f\u0981-\u0983\u09bc-\u09cd\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u1ab0-\u1aff"
          "\u1dc0-\u1dff\u200b-\u200d\u2060\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f\ufeff")
_TOKEN = re.compile(f"[^\\W_](?:[^\\W_]|[{_MARKS}])*")
_JOINT = re.compile("[-\u2010\u00ad][ \t]*\r?\n")  # without one there is no word to be joined, and words can be found faster
_BREAK = re.compile(r"[-\u2010\u00ad]?[ \t]*\r?\n\s*")
# What NFKD does not take apart.
_LETTERS = str.maketrans({"ı": "i", "ø": "o", "đ": "d", "ł": "l", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d", "ħ": "h", "ŧ": "t", "ə": "e"})
# PostgreSQL's parser takes "12e5ab" for the number 12e5 and the word ab; split here, both engines see the same.
_NUMBER = re.compile(r"(?<![a-z0-9])(\d+e\d+)(?=[^\W\d_])")


def fold(text: str) -> str:
    """The words of `text` in search form, separated by one space; folding twice changes nothing.

    Case, accents and the Turkish dots go ("İ", "I", "ı", "i" are one letter), compatibility forms and ligatures are taken apart, a
    word hyphenated at a line's end is joined, a word is cut after 64 letters.
    """
    return " ".join(word for _start, _end, words in _tokens(text) for word in words)


def terms(query: str) -> Terms:
    """The groups of alternatives that `query` means; words between double quotes are one phrase. [] when it has no words.

    Nothing in a query is an operator. At most 16 groups are made.
    """
    found: Terms = []
    for number, part in enumerate(re.split("[\"“”„«»]", query)):
        if number % 2 and len(phrase := fold(part).split()) > 1:
            found.append((" ".join(phrase),))
            continue
        bare = re.sub(r"(\w{2,})['\u2019\u02bc`\u00b4]\w+", r"\1", part)  # İstanbul'da: the suffix of a name
        found += [alternatives(word) for word in fold(bare).split()]
    return list(dict.fromkeys(found))[:MOST_TERMS]


def fts5_query(groups: Terms) -> str:
    """The groups as an FTS5 query string; "" (which FTS5 would refuse: ask nothing then) for none."""
    return " AND ".join("(" + " OR ".join(f'"{word[:-1]}"*' if word.endswith("*") else f'"{word}"' for word in group) + ")"
                        for group in groups)


def tsquery(groups: Terms) -> str:
    """The groups for `to_tsquery('simple', …)` or a cast to tsquery; "" for none."""
    def one(word: str) -> str:
        if word.endswith("*"):
            return f"'{word[:-1]}':*"
        return "(" + " <-> ".join(f"'{part}'" for part in word.split()) + ")"

    return " & ".join("(" + " | ".join(map(one, group)) + ")" for group in groups)


def snippet(text: str, groups: Terms, width: int = 160) -> list[tuple[str, bool]]:
    """About `width` characters of `text` where most of the groups are met, as (piece, whether it is a hit) in order.

    Pieces are the text as it was written with its white space made single spaces; what was cut off at an end is shown as "…".
    """
    met = _matcher(tuple(groups))
    tokens = [(start, end, met(words)) for start, end, words in _tokens(text)]
    hits = [token for token in tokens if token[2]]
    first = _best(hits, width) if hits else 0
    inside = [token for token in tokens if token[0] >= first]
    last = max([end for _start, end, _met in inside if end - first <= width], default=min(len(text), first + width))
    # room that is left goes before the first hit, so that it is read in its sentence
    spare = min(width - (last - first), width // 3) if last >= len(text.rstrip()) else width // 4
    begin = min([start for start, _end, _met in tokens if first - spare <= start <= first], default=first)
    if begin < first and last - begin > width:
        last = max([end for start, end, _met in tokens if start >= begin and end - begin <= width], default=last)
    if not hits:
        begin = 0
    tail = re.match(r"[^\w\s]*\s*\Z", text[last:]) is not None
    pieces: list[tuple[str, bool]] = [("…", False)] if text[:begin].strip() else []
    at = begin
    for start, end, _met in hits:
        if begin <= start and end <= last:
            pieces += [(text[at:start], False), (text[start:end], True)]
            at = end
    pieces.append((text[at:] if tail else text[at:last], False))
    if not tail:
        pieces.append(("…", False))
    return _joined(pieces)


# -- folding -----------------------------------------------------------------------------------------------------------------

def _tokens(text: str) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    """Where each word stands in `text` and its search form (mostly one word)."""
    if not _JOINT.search(text):
        for match in _TOKEN.finditer(text):
            yield match.start(), match.end(), _folded(match[0])
        return
    start, end, parts = -1, -1, []
    for match in _TOKEN.finditer(text):
        if parts and _hyphenated(text, end, match):
            parts.append(match[0])
        else:
            if parts:
                yield start, end, _folded("".join(parts))
            start, parts = match.start(), [match[0]]
        end = match.end()
    if parts:
        yield start, end, _folded("".join(parts))


def _hyphenated(text: str, end: int, following: re.Match[str]) -> bool:
    """Whether the word that ends at `end` goes on in `following` on the next line."""
    gap = text[end:following.start()]
    if "\n" not in gap or not _BREAK.fullmatch(gap) or not (gap[0] in "-\u2010" or text[end - 1] == "\u00ad"):
        return False
    before, after = text[:end].rstrip("\u00ad")[-1:] if text[end - 1] == "\u00ad" else text[end - 1], following[0][0]
    return before.isalpha() and after.isalpha() and (after.islower() or before.isupper())


@lru_cache(maxsize=1 << 14)
def _folded(token: str) -> tuple[str, ...]:
    if token.isascii():
        plain = token.lower()
    else:
        plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", token).casefold()).translate(_LETTERS)
        plain = "".join(map(_character, plain))
    return tuple(word[:LONGEST] for word in _NUMBER.sub(r"\1 ", plain).split())


def _character(character: str) -> str:
    if character.isascii():
        return character if character.isalnum() else " "
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    if unicodedata.category(character)[0] in "MC" or character == "\u0640":
        return ""
    return character if character.isalnum() else " "


# -- inflection --------------------------------------------------------------------------------------------------------------

_VOWELS = frozenset("aeiou")
_SOFT = {"p": "b", "t": "d", "k": "g"}
_HARD = {soft: hard for hard, soft in _SOFT.items()}
# From the end of a word: each slot at most once, in this order; in the second place of a slot what makes a short stem likely. A suffix
# after "=" needs a vowel before it, one that begins with a vowel a consonant. Folded: i stands for ı and i, u for u and ü.
_SLOTS = (
    ("dir dur tir tur",),
    ("ki",),
    ("i u a e in un =yi =yu =ya =ye =ni =nu =na =ne =nin =nun =yin =yun la le =yla =yle ca ce",
     "da de ta te dan den tan ten =nda =nde =ndan =nden"),
    ("i u im um in un =si =su imiz umuz iniz unuz =miz =muz =niz =nuz",),
    ("", "lar ler"),
)
_SUFFIXES = [[(suffix.lstrip("="), suffix[0] == "=", strong) for strong, slot in enumerate(slots) for suffix in slot.split()]
             for slots in _SLOTS]  # (suffix, needs a vowel before it, is a plural or place ending)
_FALLEN = {
    "agiz": "agz", "akil": "akl", "alin": "aln", "asil": "asl", "bahis": "bahs", "beyin": "beyn", "boyun": "boyn", "burun": "burn",
    "cisim": "cism", "devir": "devr", "emir": "emr", "fikir": "fikr", "gonul": "gonl", "hacim": "hacm", "hapis": "haps",
    "hukum": "hukm", "ilim": "ilm", "isim": "ism", "izin": "izn", "kabir": "kabr", "karin": "karn", "kayit": "kayd",
    "kesif": "kesf", "keyif": "keyf", "kisim": "kism", "metin": "metn", "nakil": "nakl", "nakit": "nakd", "nehir": "nehr",
    "nesil": "nesl", "ogul": "ogl", "omur": "omr", "omuz": "omz", "resim": "resm", "sabir": "sabr", "sehir": "sehr",
    "sekil": "sekl", "vakit": "vakt", "zehir": "zehr", "zihin": "zihn",
}
_WHOLE = {fallen: whole for whole, fallen in _FALLEN.items()}


@lru_cache(maxsize=4096)
def alternatives(word: str) -> tuple[str, ...]:
    """What one folded word of a query finds: whole words and `prefix*`, without those that another prefix covers."""
    if not word.isascii():
        return (word + "*",)
    if len(word) < 2 or word.isdigit():
        return (word,)
    found = [word + "*"] if len(word) > 3 else [word]
    if not word.isalpha():
        return tuple(found)
    found += _english(word)
    if not set(word) & set("qwx"):  # no letters of Turkish: "tax" finds no "taxi"
        found += _forms(word)
        for stem, ending in _stems(word):
            on_vowel = ending[0] in _VOWELS
            if on_vowel and stem[-1] in _HARD:
                found += _noun(stem[:-1] + _HARD[stem[-1]])
            found += _noun(_WHOLE.get(stem, stem) if on_vowel else stem)
    prefixes = {alternative[:-1] for alternative in found if alternative.endswith("*")}
    kept = [a for a in found if not any(a.startswith(p) and a != p + "*" for p in prefixes)]
    return tuple(dict.fromkeys(kept))


def _stems(word: str) -> list[tuple[str, str]]:
    """The stems that may be under an inflected word, each with its ending, longest first."""
    found = {word: (False, False)}  # whether a plural or place ending, and whether a plural, was taken off
    for slot, suffixes in enumerate(_SUFFIXES):
        for stem, (strong, plural) in list(found.items()):
            for suffix, after_vowel, is_strong in suffixes:
                rest = stem.removesuffix(suffix)
                if rest == stem or len(rest) < 2 or not _VOWELS & set(rest):
                    continue
                on_vowel = rest[-1] in _VOWELS
                if after_vowel and not on_vowel or suffix[0] in _VOWELS and on_vowel:
                    continue
                old = found.get(rest, (False, False))
                found[rest] = (old[0] or strong or bool(is_strong), old[1] or plural or slot == len(_SUFFIXES) - 1)
    likely = [stem for stem, (strong, plural) in found.items()
              if stem != word and (len(stem) > 3 or (len(stem) == 3 and strong) or plural or stem in _WHOLE)]
    return [(stem, word[len(stem):]) for stem in sorted(likely, key=len, reverse=True)]


def _noun(stem: str) -> list[str]:
    """What a stem under an inflected word finds."""
    return [stem + "*", *_forms(stem)] if len(stem) > 4 else [stem, *_forms(stem, closed=True)]


def _forms(stem: str, *, closed: bool = False) -> list[str]:
    """Inflected forms of a noun that do not begin with it, and when it is short (or `closed`) those that do."""
    found: list[str] = []
    if len(stem) <= 3 or closed:
        found += [stem + ending for ending in _endings(stem)]
        found += [stem + plural for plural in ("lar*", "ler*")]
    if len(stem) > 2 and stem[-1] in _SOFT:
        soft = stem[:-1] + _SOFT[stem[-1]]
        found += [soft + ending for ending in _endings(stem) if ending[0] in _VOWELS]
    if stem in _FALLEN:
        found += [_FALLEN[stem] + ending for ending in _endings(stem) if ending[0] in _VOWELS]
    return found


@lru_cache(maxsize=256)
def _endings(stem: str) -> tuple[str, ...]:
    """Possessive and case endings that may follow a stem.

    Its last vowel tells the high vowel of an ending (folded), but of the low ones only after an e.
    """
    last = next((letter for letter in reversed(stem) if letter in _VOWELS), "")
    high = "u" if last in ("o", "u") else "i"
    lows = "e" if last == "e" else "ae"
    on_vowel = stem[-1] in _VOWELS
    owners = ["m", "n", f"s{high}", f"m{high}z", f"n{high}z"]
    if not on_vowel:
        owners = [f"{high}m", f"{high}n", high, f"{high}m{high}z", f"{high}n{high}z"]
    linked = [owner + "n" if owner[-1] == high else owner for owner in owners]
    found = list(owners)
    for low in lows:
        for hard in "dt":
            place = f"{hard}{low}"
            found += [place, place + "n", place + "ki"]
            if hard == "d":
                found += [owner + end for owner in linked for end in (place, place + "n")]
        found += [f"y{low}", f"yl{low}"] if on_vowel else [low, f"l{low}"]
        found += [owner + low for owner in linked]
    found += [f"y{high}", f"n{high}n", f"y{high}n"] if on_vowel else [f"{high}n"]
    for owner in linked:
        found += [owner + high, owner + high + "n"]
    return tuple(dict.fromkeys(found))


def _english(word: str) -> list[str]:
    """Singular and plural of an English noun, as whole words."""
    found = [word + "s", word + "es"] if len(word) <= 3 else []
    if word.endswith("y") and word[-2] not in _VOWELS:
        found.append(word[:-1] + "ies")
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        found.append(word[:-1])
        if word.endswith("ies"):
            found.append(word[:-3] + "y")
        elif word.endswith(("ses", "xes", "zes", "ches", "shes")):
            found.append(word[:-2])
    return found


# -- showing -----------------------------------------------------------------------------------------------------------------

def _meets(group: Iterable[str], word: str) -> bool:
    return any(word.startswith(part[:-1]) if part.endswith("*") else word in part.split() for part in group)


@lru_cache(maxsize=16)
def _matcher(groups: tuple[tuple[str, ...], ...]) -> Callable[[tuple[str, ...]], frozenset[int]]:
    """Which groups a word of a text meets; remembered, because the texts that one query finds share most of their words."""
    @lru_cache(maxsize=1 << 12)
    def met(words: tuple[str, ...]) -> frozenset[int]:
        return frozenset(n for n, group in enumerate(groups) if any(_meets(group, word) for word in words))

    return met


def _best(hits: list[tuple[int, int, frozenset[int]]], width: int) -> int:
    """Where the stretch of `width` characters begins that meets most groups (then most often, then first)."""
    def worth(first: int) -> tuple[int, int, int]:
        inside = []
        for _start, end, met in hits[first:]:
            if end - hits[first][0] > width:
                break
            inside.append(met)
        return len(set().union(*inside)), len(inside), -first

    return hits[max(range(len(hits)), key=worth)][0]


def _joined(pieces: list[tuple[str, bool]]) -> list[tuple[str, bool]]:
    """White space made single spaces (also across pieces), neighbours that are no hits made one, empty ones left out."""
    found: list[tuple[str, bool]] = []
    space = True
    for piece, hit in pieces:
        plain = re.sub(r"\s+", " ", piece)
        plain = plain.lstrip(" ") if space else plain
        if not plain:
            continue
        space = plain.endswith(" ")
        if found and not hit and not found[-1][1]:
            plain = found.pop()[0] + plain
        found.append((plain, hit))
    if found and not found[-1][1]:
        rest = found.pop()[0].rstrip(" ")
        found += [(rest, False)] if rest else []
    return found
