"""How figures are written for people: as many digits as they carry, units said, no lone signs."""

import math

MINUS = "\u2212"  # as wide as the plus sign, and never broken from its number at a line's end


def figure(value: float, places: int | None = None) -> str:
    """A metric: two digits after the point, one where it goes up to 100.

    >>> figure(0.4213), figure(31.24), figure(float("nan"))
    ('0.42', '31.2', 'none')
    """
    if not math.isfinite(value):
        return "none"
    return f"{value:.{digits(value) if places is None else places}f}".replace("-", MINUS)


def span(low: float, high: float) -> str:
    """An interval, both ends with as many digits.

    >>> span(0.371, 0.476), span(1.9, 2.3)
    ('[0.37, 0.48]', '[1.9, 2.3]')
    """
    places = digits(max(abs(low), abs(high)))
    return f"[{figure(low, places)}, {figure(high, places)}]"


def change(mean: float, low: float, high: float) -> str:
    """A difference with its interval; more digits where an end would look like zero.

    >>> change(0.124, 0.051, 0.197)
    '+0.12 [+0.05, +0.20]'
    >>> change(0.021, 0.0009, 0.04)
    '+0.021 [+0.001, +0.040]'
    """
    widest = max(abs(mean), abs(low), abs(high))
    places = digits(widest)
    smallest = min((abs(end) for end in (low, high) if end), default=1.0)
    while places < 5 and round(smallest, places) == 0:
        places += 1
    return f"{signed(mean, places)} [{signed(low, places)}, {signed(high, places)}]"


def signed(value: float, places: int) -> str:
    """A number that always has its sign, but for zero.

    >>> signed(0.25, 2), signed(-0.0001, 2)
    ('+0.25', '0.00')
    """
    text = f"{value:+.{places}f}"
    return text[1:] if not float(text) else text.replace("-", MINUS)


def digits(value: float) -> int:
    """Digits after the point: metrics go up to 1, or (BLEU, chrF) up to 100."""
    return 2 if abs(value) <= 2 else 1


def count(value: float) -> str:
    """A whole number, with commas.

    >>> count(12345.6)
    '12,346'
    """
    return f"{value:,.0f}"


def rounded_up(value: float) -> int:
    """The next number with two digits that count: a number of questions is only a guess.

    >>> rounded_up(1234.0), rounded_up(87.2)
    (1300, 88)
    """
    step = int(10 ** max(0, math.floor(math.log10(max(value, 1.0))) - 1))
    return math.ceil(value / step) * step


def duration(seconds: float) -> str:
    """A time, in the unit that fits.

    >>> duration(0.042), duration(1.94), duration(840), duration(9000)
    ('0.04 s', '1.9 s', '14 min', '2.5 h')
    """
    if seconds < 1:
        return f"{seconds:.2f} s"
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
