"""What is personal data, and what only looks like it."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.tune.data.personal import KINDS, checked, found, luhn, redacted

PERSONAL = [
    ("email", "ada@example.org"),
    ("email", "ada.lovelace+news@mail.example.co.uk"),
    ("email", "Ada_1@sub-domain.example.museum"),
    ("phone", "+41 44 668 18 00"),
    ("phone", "+41446681800"),
    ("phone", "+1 (202) 456-1111"),
    ("phone", "+1-202-456-1111"),
    ("phone", "+49 (0)30 1234567"),
    ("phone", "+33 1 23 45 67 89"),
    ("phone", "0041 44 668 18 00"),
    ("phone", "(555) 123-4567"),
    ("phone", "555-123-4567"),
    ("phone", "555.123.4567"),
    ("phone", "1-800-555-0199"),
    ("phone", "044 668 18 00"),
    ("phone", "020 7946 0958"),
    ("phone", "030/1234567"),
    ("phone", "01.23.45.67.89"),
    ("card", "4111 1111 1111 1111"),
    ("card", "4111111111111111"),
    ("card", "5500-0000-0000-0004"),
    ("card", "3782 822463 10005"),
    ("card", "6011111111111117"),
    ("iban", "DE89 3704 0044 0532 0130 00"),
    ("iban", "GB82WEST12345698765432"),
    ("iban", "CH93 0076 2011 6238 5295 7"),
    ("iban", "NO9386011117947"),
    ("iban", "fr14 2004 1010 0505 0001 3m02 606"),
    ("iban", "MT84 MALT 0110 0001 2345 MTLC AST0 01S"),
]
NOT = [
    "on 2026-11-21 at 10:30:00", "2026-11-21T10:30:00+01:00", "on 21.11.2026", "on 11/21/2026",
    "from 01.02.2026 to 03.04.2026", "1990-2024", "01.02.2026 10:30",
    "version 10.15.7.2023", "python 3.11.2", "v0.10.123.4567", "192.168.100.200", "0.123 456 789",
    "order 4032-555-0199", "order no. 123-456-7890", "Order #555-123-4567", "invoice 2026-000-1234",
    "ISBN 978-3-16-148410-0", "ISBN 0-306-40615-2", "ticket 0441234567", "part 030-1234-567",
    "123456789", "1234567890", "1700000000", "1700000000000", "population 7,900,000,000",
    "1 000 000 000", "3.14159265358979", "$555 123 4567 890", "5 + 12345", "x+12345678",
    "472547338\n+960397912423686", "4111 1111 1111 1112", "1234 5678 9012 3456",
    "4111111111111111.5", "550e8400-e29b-41d4-a716-446655440000", "DE88 3704 0044 0532 0130 00",
    "XX89 3704 0044 0532 0130 00", "DE89 3704 0044 0532 0130 0", "AB12 CDEF", "doi:10.1000/182",
    "10.1038/s41586-020-2649-2", "NCT01234567", "PMID 12345678", "@ada", "ada@", "ada@localhost",
    "icon@2x.png", "git@github.com:noria/noria.git", "ftp://user:secret@ftp.example.com/",
    "a@b", "pkg@1.2.3", "8 x 10^24", "16:9", "1-2-3-4-5-6-7-8-9", "(1) 234 (2) 567",
    "ordinance No. 060-02/1406-02", "sha 0441234567890abcdef", "37.7749, -122.4194",
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text"), PERSONAL)
@pytest.mark.parametrize("frame", ["{}", "It is {}.", "({})", "see:\n{}\nthere", "is it {}?"])
def test_personal_data_are_found_whole(kind: str, text: str, frame: str) -> None:
    within = frame.format(text)
    assert [(p.kind, within[p.start : p.end]) for p in found(within)] == [(kind, text)]
    assert redacted(within) == frame.format(f"[{kind}]")


@pytest.mark.parametrize("text", NOT)
def test_what_looks_alike_is_left_alone(text: str) -> None:
    assert [text[piece.start : piece.end] for piece in found(text)] == []
    assert redacted(text) == text


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("call me at 5294870 tomorrow", "call me at [phone] tomorrow"),
        ("My phone number is 7096785634, Nancy", "My phone number is [phone], Nancy"),
        ("Tel. 668 18 00", "Tel. [phone]"),
        ("mail a@b.org or c@d.org", "mail [email] or [email]"),
        ("IBAN: DE89370400440532013000, Visa 4111111111111111", "IBAN: [iban], Visa [card]"),
        ("call 4111 1111 1111 1111", "call [card]"),
        ("mailto:ada@example.org", "mailto:[email]"),
    ],
)
def test_placeholders(text: str, rest: str) -> None:
    assert redacted(text) == rest


TEXTS = st.text("ab@.+-/() 0123456789DEorg\n", max_size=60) | st.lists(
    st.sampled_from([text for _, text in PERSONAL] + NOT + [" ", ", ", "\n"]), max_size=6
).map(" ".join)


@given(TEXTS)
def test_laws(text: str) -> None:
    pieces = found(text)
    assert all(one.end <= other.start for one, other in pairwise(pieces))
    assert all(0 <= piece.start < piece.end <= len(text) for piece in pieces)
    assert sum(redacted(text).count(f"[{kind}]") for kind in KINDS) >= len(pieces)


@given(st.lists(st.sampled_from([text for _, text in PERSONAL]), min_size=1, max_size=5))
def test_what_was_redacted_has_nothing_left(pieces: list[str]) -> None:
    once = redacted("; ".join(pieces))
    assert once == "; ".join(f"[{dict((t, k) for k, t in PERSONAL)[each]}]" for each in pieces)
    assert found(once) == ()


@given(st.text("0123456789", min_size=2, max_size=20), st.integers(0, 19), st.integers(1, 9))
def test_luhn_notices_each_wrong_digit(digits: str, at: int, by: int) -> None:
    whole = next(digits + str(n) for n in range(10) if luhn(digits + str(n)))
    at %= len(whole)
    assert not luhn(whole[:at] + str((int(whole[at]) + by) % 10) + whole[at + 1 :])


def test_check_digits_notice_swapped_ones() -> None:
    iban = "DE89370400440532013000"
    assert checked(iban)
    swapped = {iban[:i] + iban[i + 1] + iban[i] + iban[i + 2 :] for i in range(4, 21)} - {iban}
    assert not any(map(checked, swapped))
