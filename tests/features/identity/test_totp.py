"""The codes themselves: the vectors of the RFCs, the window, no step twice, and how codes are typed."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unibos.features.identity import totp

SECRET = b"12345678901234567890"


# RFC 6238 appendix B, the rows of SHA-1 (8 digits).
@pytest.mark.parametrize(("seconds", "code"), [(59, "94287082"), (1111111109, "07081804"), (1111111111, "14050471"), (1234567890, "89005924"),
                                               (2000000000, "69279037"), (20000000000, "65353130")])
def test_the_vectors_of_rfc_6238(seconds, code):
    assert totp.hotp(SECRET, totp.step_at(seconds), 8) == code
    assert totp.step_of(SECRET, code[2:], seconds, 0) == totp.step_at(seconds)


# RFC 4226 appendix D.
@pytest.mark.parametrize(("counter", "code"), list(enumerate("755224 287082 359152 969429 338314 254676 287922 162583 399871 520489".split())))
def test_the_vectors_of_rfc_4226(counter, code):
    assert totp.hotp(SECRET, counter) == code


@given(st.binary(min_size=20, max_size=20), st.integers(100, 10**8), st.integers(-4, 4))
def test_one_step_on_each_side_is_taken_and_no_other(secret, step, away):
    codes = {s: totp.hotp(secret, s) for s in range(step - 1, step + 2)}
    code = totp.hotp(secret, step + away)
    found = totp.step_of(secret, code, step * 30 + 15, 0)
    if abs(away) <= 1:
        assert found is not None and codes[found] == code
    else:
        assert found is None or codes[found] == code  # two steps with one code: one in about 300 000


@given(st.binary(min_size=20, max_size=20), st.lists(st.tuples(st.integers(0, 40), st.integers(-2, 2)), max_size=40))
def test_no_step_is_taken_twice_and_steps_only_rise(secret, tries):
    now, last, taken = 1_000_000_000, 0, []
    for wait, away in tries:
        now += wait
        step = totp.step_of(secret, totp.hotp(secret, totp.step_at(now) + away), now, last)
        if step is not None:
            assert step > last
            last = step
            taken.append(step)
    assert len(set(taken)) == len(taken) and taken == sorted(taken)


@pytest.mark.parametrize(("typed", "digits"), [("123456", "123456"), (" 123 456 ", "123456"), ("123-456", "123456"), ("12345", ""), ("1234567", ""),
                                               ("", ""), ("12345a", ""), ("١٢٣٤٥٦", ""), ("AAAA-BBBB-CCCC-DDDD", "")])
def test_what_counts_as_a_code_of_an_app(typed, digits):
    assert totp.digits_of(typed) == digits


def test_a_recovery_code_is_known_however_it_is_typed_and_only_for_its_person():
    code = totp.recovery_code(bytes(range(10)))
    assert len(code.replace("-", "")) * 5 == 80
    kept = totp.recovery_hash("ada", code)
    for typed in (code.lower(), code.replace("-", ""), f" {code.replace('-', ' ')} ", code.replace("O", "0").replace("I", "1").replace("B", "8")):
        assert totp.recovery_hash("ada", typed) == kept
    assert totp.recovery_hash("bo", code) != kept and totp.recovery_hash("ada", code[:-1]) != kept


def test_the_address_for_the_app_says_all_that_it_needs():
    from urllib.parse import parse_qs, unquote, urlsplit

    parts = urlsplit(totp.uri(SECRET, "UNIBOS kutu", "ada+x@example.org"))
    asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
    assert (parts.scheme, parts.netloc, unquote(parts.path)) == ("otpauth", "totp", "/UNIBOS kutu:ada+x@example.org")
    assert base64.b32decode(asked.pop("secret")) == SECRET
    assert asked == {"issuer": "UNIBOS kutu", "algorithm": "SHA1", "digits": "6", "period": "30"}
    assert "+" not in parts.query
