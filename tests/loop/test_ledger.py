"""From the server's rows to arrays, each unit once."""

from datetime import UTC, datetime, timedelta

import pytest

from noria.errors import UsageError
from noria.loop.ledger import Entry, Outcome, read

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)


def at(minute: int) -> datetime:
    return NOON + timedelta(minutes=minute)


EXPOSURES = [
    Entry("ada", "live", at(0)),
    Entry("bob", "canary", at(1)),
    Entry("ada", "live", at(2)),  # she came back
    Entry("cyd", "canary", at(3)),
]


def test_each_unit_is_exposed_once() -> None:
    assert read(EXPOSURES, []).exposed.tolist() == [False, True, True]


def test_a_failing_unit_counts_once_at_its_first_failure() -> None:
    ledger = read(EXPOSURES, [
        Outcome("cyd", "canary", "errors", False, at(9)),
        Outcome("ada", "live", "errors", False, at(2)),
        Outcome("ada", "live", "errors", False, at(4)),
        Outcome("bob", "canary", "errors", True, at(5)),
        Outcome("ada", "live", "slow", False, at(5)),
    ])  # fmt: skip
    assert ledger.failed["errors"].yes.tolist() == [False, True]  # ada's, then cyd's
    assert ledger.failed["errors"].at.tolist() == [2, 3]
    assert ledger.failed["slow"].yes.tolist() == [False]


def test_the_first_judgement_of_a_unit_counts() -> None:
    ledger = read(EXPOSURES, [
        Outcome("bob", "canary", "quality", False, at(2)),
        Outcome("bob", "canary", "quality", True, at(8)),
        Outcome("ada", "live", "quality", True, at(5)),
    ])  # fmt: skip
    assert ledger.judged.canary.tolist() == [True, False]
    assert ledger.judged.success.tolist() == [False, True]
    assert ledger.judged.at.tolist() == [2, 3]
    assert ledger.until(2).judged.canary.tolist() == [True]


def test_whom_nobody_exposed_does_not_count() -> None:
    served_by_fallback = Outcome("eve", "canary", "quality", True, at(5))
    ledger = read(EXPOSURES, [served_by_fallback])
    assert len(ledger.judged.at) == 0


def test_a_preference_needs_no_exposure() -> None:
    ledger = read(EXPOSURES, [Outcome("how long?", "", "preference", True, at(2))])
    assert ledger.preferred.yes.tolist() == [True]
    assert ledger.preferred.at.tolist() == [2]


def test_other_arms_are_passed_over() -> None:
    rows = [*EXPOSURES, Entry("dan", "b", at(4))]
    failed = [Outcome("dan", "b", "errors", False, at(5))]
    assert read(rows, failed).exposed.tolist() == [False, True, True]
    assert read(rows, failed, canary="b").exposed.tolist() == [False, True]
    assert read(rows, failed, canary="b").failed["errors"].yes.tolist() == [True]


def test_a_unit_that_met_both_arms_is_an_error() -> None:
    with pytest.raises(UsageError, match="'ada' was exposed to 'live' and later met 'canary'"):
        read([*EXPOSURES, Entry("ada", "canary", at(9))], [])
    with pytest.raises(UsageError, match="begin a new stage"):
        read(EXPOSURES, [Outcome("ada", "canary", "errors", False, at(9))])
