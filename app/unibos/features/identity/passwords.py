"""What a password must be, and its argon2id hash. Parameters suit a Pi 4: 19 MiB, two passes, one lane (OWASP's floor)."""

from __future__ import annotations

from unibos.kernel.errors import Invalid
from unibos.kernel.words import T

MINIMUM, MAXIMUM = 8, 256
# The words that people choose most, in English and Turkish; checked without digits and signs at the end.
COMMON = frozenset("""password passwort parola sifre qwerty qwertyuiop asdfghjk asdfghjkl zxcvbnm letmein welcome admin
administrator iloveyou sunshine princess football baseball basketball monkey dragon master superman batman trustno starwars
michael jordan harley shadow ashley jessica charlie computer internet samsung google facebook whatever freedom secret summer
winter spring autumn hello hellohello abcdefgh abcabcabc testtest password123 passw0rd p4ssword galatasaray fenerbahce besiktas
trabzonspor istanbul ankara izmir turkiye ataturk mustafakemal mehmet mustafa ahmet fatma canimcicim askim askimaskim seviyorum
seniseviyorum bebegim allah bismillah merhaba gunaydin raspberry raspberrypi unibos changeme default guest root toor""".split())


def check(password: str, email: str = "", name: str = "") -> None:
    """Raise Invalid, with the reason, for a password that is too short, too long or easily guessed."""
    if len(password) < MINIMUM:
        raise Invalid(T("The password is too short: take at least %(n)s characters.", n=MINIMUM), fields={"password": T("Too short.")})
    if len(password) > MAXIMUM:
        raise Invalid(T("The password is too long: take at most %(n)s characters.", n=MAXIMUM), fields={"password": T("Too long.")})
    low = password.lower()
    bare = low.rstrip("0123456789!.?*-_@#+ ")
    steps = {ord(b) - ord(a) for a, b in zip(low, low[1:], strict=False)}
    obvious = bare in COMMON or low in COMMON or len(set(low)) < 4 or steps in ({1}, {-1}) or not bare
    own = {part for part in (email.lower(), email.lower().partition("@")[0], name.lower().replace(" ", "")) if len(part) > 2}
    if obvious or bare in own or low in own:
        raise Invalid(T("This password is one of the first that others would try. Take another, such as four unrelated words."),
                      fields={"password": T("Too easily guessed.")})


def _hasher():
    from argon2 import PasswordHasher

    return PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)


def make(password: str) -> str:
    """The argon2id hash of a password, with its salt and parameters."""
    return _hasher().hash(password)


def matches(stored: str, password: str) -> bool:
    """Whether `password` made `stored`; takes the same time for an empty `stored` (an unknown user)."""
    from argon2.exceptions import InvalidHashError, VerificationError

    decoy = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$QmFzZTY0RW5jb2RlZEhhc2hPZkFEZWNveVBhc3N3b3Jk"
    try:
        return _hasher().verify(stored or decoy, password[:MAXIMUM]) and bool(stored)
    except (VerificationError, InvalidHashError):
        return False


def stale(stored: str) -> bool:
    """Whether a hash was made with other parameters than today's, so that it is to be made anew at the next login."""
    from argon2.exceptions import InvalidHashError

    try:
        return _hasher().check_needs_rehash(stored)
    except InvalidHashError:
        return False
