"""Check digits: whether a number can have been given out at all.

Contract: digits only, blanks and hyphens between them do not count; anything else fails.
``luhn``: ISO/IEC 7812-1 annex B, mod 10.  ``mod11``: weights 2 to 7 from the right, repeated; 11
counts as 0 and 10 as X.  ``nhs``: ten digits, weights 10 to 2; a remainder of 10 is never given
out.
"""

from collections.abc import Callable


def _digits(text: str) -> str:
    return text.replace(" ", "").replace("-", "")


def luhn(text: str) -> bool:
    """Tell whether the last digit is right."""
    digits = _digits(text)
    if len(digits) < 2 or not (digits.isascii() and digits.isdigit()):
        return False
    total = 0
    for place, digit in enumerate(reversed(digits)):
        number = int(digit) * (2 if place % 2 else 1)
        total += number - 9 if number > 9 else number
    return total % 10 == 0


def mod11(text: str) -> bool:
    """Tell whether the last character is right."""
    digits = _digits(text).upper()
    body, check = digits[:-1], digits[-1:]
    if not body or not (body.isascii() and body.isdigit()):
        return False
    total = sum(int(digit) * (2 + place % 6) for place, digit in enumerate(reversed(body)))
    return check == "0123456789X0"[(11 - total % 11)]


def nhs(text: str) -> bool:
    """Tell whether it is a possible NHS number."""
    digits = _digits(text)
    if len(digits) != 10 or not (digits.isascii() and digits.isdigit()):
        return False
    total = sum(int(digit) * (10 - place) for place, digit in enumerate(digits[:9]))
    return (11 - total % 11) % 11 == int(digits[9])


CHECKS: dict[str, Callable[[str], bool]] = {"luhn": luhn, "mod11": mod11, "nhs": nhs}
