"""Folding and queries: a table of hits and misses that SQLite FTS5 and PostgreSQL must both answer alike."""

import random
import re
import sqlite3
from contextlib import closing

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from unibos.products.documents.fold import LONGEST, alternatives, fold, fts5_query, snippet, terms, tsquery

from tests.postgres import Postgres

# -- fold ----------------------------------------------------------------------------------------------------------------

FOLDED = [
    ("İstanbul ISTANBUL ıstanbul istanbul", "istanbul istanbul istanbul istanbul"),
    ("ŞÇĞÖÜ şçğöü", "scgou scgou"),
    ("âlîm kâğıt sükûn", "alim kagit sukun"),
    ("i\u0307 I\u0307 s\u0327 g\u0306", "i i s g"),  # letters written as letter and mark
    ("Ångström naïve straße Œuvre Øre Łódź əlifba", "angstrom naive strasse oeuvre ore lodz elifba"),
    ("ﬁnans ﬄ ＡＢＣ ① ², ½", "finans ffl abc 1 2 1 2"),
    ("kita-\nbı kita\u00ad\nbı kita\u2010 \r\n  bı KİTA-\nBI", "kitabi kitabi kitabi kitabi"),
    ("kita\u00adbı", "kitabi"),
    ("Ankara-\nİstanbul 2019-\n2020 e-posta son -\nra", "ankara istanbul 2019 2020 e posta son ra"),
    ("1.234,50 TL; INV-2024/07 (a_b)", "1 234 50 tl inv 2024 07 a b"),
    ("İstanbul'da don’t", "istanbul da don t"),
    ("١٢٣ привет Ёлка ΑΘΗΝΑ سَلام 日本語", "123 привет елка αθηνα سلام 日本語"),
    ("12e5abc 1e5 e5e5", "12e5 abc 1e5 e5e5"),
    ("x" * 100, "x" * LONGEST),
    ("\0\ud800a\ufeffb", "ab"),
    (" \n\t—…", ""),
]


@pytest.mark.parametrize(("text", "folded"), FOLDED)
def test_fold(text, folded):
    assert fold(text) == folded


@given(st.text())
@example("ǰ ŉ İ̇ ẞ ﬅ K ſ")
def test_folding_twice_changes_nothing_and_leaves_words_only(text):
    folded = fold(text)
    assert fold(folded) == folded
    assert re.fullmatch(r"(\S+( \S+)*)?", folded)
    for character in folded.replace(" ", ""):
        assert character.isalnum() and (not character.isascii() or character in "abcdefghijklmnopqrstuvwxyz0123456789")


@given(st.text(alphabet="aIıİiĞğŞşéÉ- \u00ad1.", max_size=40))  # no line ends: there case tells whether a hyphenated word goes on
def test_case_makes_no_difference(text):
    assert fold(text.lower()) == fold(text.upper()) == fold(text)


# -- hits and misses -----------------------------------------------------------------------------------------------------------

# query, what must be found, what must not
TABLE = [
    ("istanbul", "İstanbul|ISTANBUL|ıstanbul|İSTANBUL'DA|İstanbullular", "İsta|Ankara"),
    ("İSTANBUL", "istanbul", "stanbul"),
    ("İstanbul'da", "İstanbul|İstanbul’un", "Ankara'da"),
    ("ılık", "ILIK|ilik|Ilık su", "ılı"),
    ("ilik", "ılık", "kilik"),
    ("ığdır", "Iğdır|IĞDIR|igdir", "Iğdı"),
    ("IĞDIR", "ığdır'da", "çığdır"),
    ("kitap", "kitap|kitabı|KİTAPLAR|kitabımız|kitapta|kitabın|kita-\nbı|kitapçı|kitaplarımızdan", "kita|kitara|hitap"),
    ("kitabı", "kitap|kitaplar|kitabı|kitabımız|KİTAPTA", "hitabı|kita"),
    ("kitaplar", "kitap|kitabımız|kitabı|KİTAPLAR", "kitara"),
    ("kitapta", "kitap|kitabın|kitaplarda", "kitara"),
    ("kitaplarımızdan", "kitap|kitabı", "kitara"),
    ("ağaç", "ağaç|ağacın|ağaçlar|AĞAÇTA", "ağa|araç"),
    ("ağacın", "ağaç|ağacı|ağaçlar|ağaçtan", "ağa|ağustos"),
    ("renk", "renk|rengi|renkli|renkler|rengin|rengimiz", "reng|rehin|rengeyik"),
    ("rengi", "renk|rengi|renkler|renkte", "renault|rende"),
    ("kanat", "kanat|kanadı|kanatlar|kanadın", "kanal|kanadalılar"),
    ("kanadı", "kanat|kanatlar|kanadı", "kanal|kanepe"),
    ("fatura", "fatura|faturalar|faturası|FATURALARIMIZ|faturanın", "fatih"),
    ("faturalar", "fatura|faturası|faturanız", "fatih"),
    ("faturası", "fatura|faturaları|faturada", "fatih"),
    ("faturasına", "fatura|faturasından", "fatih"),
    ("ödeme", "ödeme|ödemeler|ödemesi|Odeme|ödemeniz", "öde|önleme"),
    ("ödemeler", "ödeme|ödemeniz|ödemesi", "önleme"),
    ("çocuk", "çocuk|çocuğun|çocuklar|ÇOCUĞU|çocuğumuz", "çok|çolak"),
    ("çocuğun", "çocuk|çocuklar|çocuğu", "çok"),
    ("kar", "kar|karı|karlar|karda|karın|KÂR|kârımız", "karpuz|karanfil|karar|kart"),
    ("kap", "kap|kabı|kaplar|kabın", "kaplan|kabak|kapsam"),
    ("ev", "ev|evler|evde|evimiz|evlerinden|evin|evi", "evet|evrak|evlilik"),
    ("evler", "ev|evde|evlerimiz|evimizde", "evet|evrak"),
    ("evlerimizden", "ev|evler|evi", "evet"),
    ("su", "su|suyu|sular|suda|suyun", "süt|sunum|suç"),
    ("okulda", "okul|okula|okulu|okullar|okulumuz", "okuma|okutman"),
    ("yolda", "yol|yollar|yolu|yoldan", "yolcu|yoğurt"),
    ("kadın", "kadın|kadınlar|kadının", "kadı|kadro"),
    ("altın", "altın|altını", "alt|altı|alet"),
    ("şehir", "şehir|şehri|şehrin|şehirler|ŞEHRİMİZ", "şehit|sehpa"),
    ("şehri", "şehir|şehirde|şehrin", "şehit"),
    ("ismi", "isim|isimler|ismi|ismim", "isyan|ismail"),
    ("resim", "resim|resmi|resimler", "resepsiyon|resul"),
    ("kira", "kira|kiracı|kiralar|kirası", "kir|kiri"),
    ("masada", "masa|masalar|masayı", "masraf|mas"),
    ("ödendi", "ödendi", "öneri"),
    ("invoice", "invoice|Invoices|INVOICE", "invocation|voice"),
    ("invoices", "invoice|invoices", "invocation"),
    ("company", "company|companies|Company's", "companion|compa"),
    ("companies", "company|companies", "companion"),
    ("boxes", "box|boxes", "boxer"),
    ("tax", "tax|taxes", "taxi|taxonomy|axt"),
    ("class", "class|classes", "clas"),
    ("agenda", "agenda|agendas", "agency"),
    ("report", "report|reports|reported", "repo|repor"),
    ("2024", "2024|01.02.2024|INV-2024", "20241|12024|202"),
    ("1,234.50", "Invoice total 1,234.50|1.234,50", "1234|234.50"),
    ("inv2024x", "INV2024X7", "INV2024"),
    ("fatura ödeme", "ödemeler ve faturalar|FATURA no 7, Ödemesi", "fatura|ödeme"),
    ('"kitap fuarı"', "Kitap Fuarı açıldı", "kitap ve fuarı|fuarı kitap|kitap fuarın"),
    ("prot", "protokol|Protez", "port"),
    ("привет", "Привет, мир", "мир"),
    ("日本", "日本語", "本"),
    ("12e5abc", "12E5abc", "12e5|abc"),
]

OPERATORS = ["a OR b", "NOT x", "foo AND", "NEAR(a b, 2)", "col:x", "x*", "*", '"', '""', '"a', "(", ")", "a & b", "!a", "a <-> b",
             "a:*b", "'", "\\", "^a",
             "-kitap", "+x", "{a b}", "a';DROP TABLE t;--", "%", "\0", "folded : x", "kitap:A*"]


@pytest.fixture(scope="module")
def postgres():
    import psycopg2

    with closing(psycopg2.connect(Postgres.shared().create_database())) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            yield cursor


@pytest.fixture(scope="module")
def sqlite():
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE VIRTUAL TABLE pages USING fts5(folded, number UNINDEXED, tokenize='unicode61')")
        yield connection


def by_sqlite(connection, texts, query):
    connection.execute("DELETE FROM pages")
    connection.executemany("INSERT INTO pages VALUES (?, ?)", [(fold(text), n) for n, text in enumerate(texts)])
    return sorted(n for n, in connection.execute("SELECT number FROM pages WHERE pages MATCH ?", (fts5_query(terms(query)),)))


def by_postgres(cursor, texts, query):
    cursor.execute("SELECT n FROM unnest(%s::text[]) WITH ORDINALITY AS t(folded, n) "
                   "WHERE to_tsvector('simple', folded) @@ to_tsquery('simple', %s) ORDER BY n",
                   ([fold(text) for text in texts], tsquery(terms(query))))
    return [n - 1 for n, in cursor.fetchall()]


@pytest.mark.parametrize(("query", "hits", "misses"), TABLE, ids=[row[0] for row in TABLE])
def test_hits_and_misses_on_both_engines(sqlite, postgres, query, hits, misses):
    hits, texts = hits.split("|"), [*hits.split("|"), *misses.split("|")]
    assert [texts[n] for n in by_sqlite(sqlite, texts, query)] == hits
    assert [texts[n] for n in by_postgres(postgres, texts, query)] == hits
    for text in texts:
        marked = any(hit for _piece, hit in snippet(text, terms(query)))
        assert marked or text not in hits


def test_the_table_is_large_enough():
    assert len(TABLE) >= 40
    assert sum(len(row[2].split("|")) for row in TABLE) >= 80


@pytest.mark.parametrize("query", OPERATORS)
def test_nothing_in_a_query_is_an_operator(sqlite, postgres, query):
    words, texts = fold(query), ["kitap a b x foo", fold(query), "nothing"]
    if not words:
        assert terms(query) == [] and fts5_query([]) == tsquery([]) == ""
        return
    found = by_sqlite(sqlite, texts, query)
    assert found == by_postgres(postgres, texts, query)
    assert 1 in found and 2 not in found


def test_both_engines_answer_random_texts_alike(sqlite, postgres):
    chance = random.Random(7)
    words = [w for row in TABLE for part in row[1:] for w in fold(part).split()] + ["1e5", "5e5a", "0x1f", "1", "abc123", "a1b2c3"]
    for _ in range(150):
        texts = [" ".join(chance.choices(words, k=6)) for _ in range(20)]
        query = " ".join(chance.choices(words, k=chance.choice([1, 1, 2])))
        if chance.random() < 0.2:
            query = f'"{query}"'
        assert by_sqlite(sqlite, texts, query) == by_postgres(postgres, texts, query), query


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="abeijkzı0159eE .-'é日é\u0301", max_size=24))
def test_postgres_takes_the_folded_words_as_they_are(text):
    import psycopg2

    folded = fold(text)
    with closing(psycopg2.connect(Postgres.shared().url("template1"))) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT tsvector_to_array(to_tsvector('simple', %s))", (folded,))
        assert sorted(cursor.fetchone()[0]) == sorted(set(folded.split()))


@given(st.text(alphabet="abcdegiklmnrstuyz", min_size=1, max_size=14))
def test_a_word_finds_itself_and_its_number_of_alternatives_is_bounded(word):
    found = alternatives(word)
    assert any(word.startswith(a[:-1]) if a.endswith("*") else word == a for a in found)
    assert len(found) <= 400


def test_a_long_query_is_cut(sqlite):
    query = " ".join(f"evlerinden{n}x evlerinizden kar{'k' * n}" for n in range(40))
    assert len(terms(query)) == 16
    short = ("ev", "ser", "ek", "el", "ip", "iz", "is", "at", "ot", "et", "al", "ad", "an", "ak", "su", "us")
    assert by_sqlite(sqlite, [" ".join(short), "ev"], " ".join(stem + "lerinden" for stem in short)) == [0]


# -- snippet -------------------------------------------------------------------------------------------------------------------

def shown(text, query, width=160):
    return "".join(f"[{piece}]" if hit else piece for piece, hit in snippet(text, terms(query), width))


def test_hits_are_marked_as_they_were_written():
    text = "Bu KİTABIMIZ\n\n  İstanbul'da  ﬁnans üzerine."
    assert shown(text, "kitap istanbul finans") == "Bu [KİTABIMIZ] [İstanbul]'da [ﬁnans] üzerine."
    assert shown("Eski kita-\nbı aldım", "kitap") == "Eski [kita- bı] aldım"
    assert shown("c\u0327ocug\u0306un", "çocuk") == "[c\u0327ocug\u0306un]"


def test_the_stretch_with_most_terms_is_shown():
    text = "fatura " + "dolgu " * 100 + "Bu fatura için ödeme yapıldı. " + "dolgu " * 100
    said = shown(text, "fatura ödeme", 60)
    assert "Bu [fatura] için [ödeme]" in said
    assert said.startswith("…") and said.endswith("…")
    assert len(said) <= 60 + 2 + 4


def test_without_hits_the_beginning_is_shown():
    assert shown("Kısa metin.", "yok") == "Kısa metin."
    assert shown("kelime " * 50, "yok", 20) == "kelime kelime kelime…"
    assert snippet("", terms("yok")) == snippet(" \n", []) == []


PIECES = ["kitap", "Kitabı", "ﬁ", "İ", "ve", "\n", "  ", ".", "-", "ev", "çok uzun", "x" * 50]


@given(st.lists(st.sampled_from(PIECES), max_size=60).map(" ".join),
       st.sampled_from(["kitap", "ev kitap", "fi", "i", "yok"]), st.integers(20, 200))
def test_a_snippet_is_a_piece_of_the_text(text, query, width):
    pieces = snippet(text, terms(query), width)
    plain = "".join(piece for piece, _hit in pieces).removeprefix("…").removesuffix("…")
    assert plain.strip() in " ".join(text.split())
    assert len(plain) <= width + LONGEST
    assert all(piece for piece, _hit in pieces)
    found = {n for n, group in enumerate(terms(query)) for word in fold(text).split()
             if any(word.startswith(a[:-1]) if a.endswith("*") else word == a for a in group)}
    assert any(hit for _piece, hit in pieces) == bool(found)
