"""Numbers with check digits: payment cards (ISO/IEC 7812), CPF and CNPJ. Knows digits only, not where they stand."""

from __future__ import annotations

CPF_DIGITS, CNPJ_DIGITS = 11, 14
CARD_PREFIXES: tuple[tuple[int, int, tuple[int, ...]], ...] = (  # first prefix, last prefix, lengths in use
    (4, 4, (13, 16, 19)),
    (51, 55, (16,)),
    (2221, 2720, (16,)),
    (34, 34, (15,)),
    (37, 37, (15,)),
    (300, 305, (14,)),
    (36, 36, (14,)),
    (38, 39, (14,)),
    (6011, 6011, (16, 19)),
    (644, 659, (16, 19)),
    (3528, 3589, (16,)),
    (62, 62, (16, 17, 18, 19)),
    (5067, 5067, (16,)),
    (509, 509, (16,)),
    (6277, 6277, (16,)),
    (6362, 6363, (16,)),
    (606282, 606282, (16,)),
)


def is_card(digits: str) -> bool:
    """Whether a bare number can be a card: a prefix and length in use, not one digit throughout, and Luhn's sum."""
    if not (digits.isascii() and digits.isdigit()) or len(set(digits)) == 1:
        return False
    usual = any(len(digits) in lengths and first <= int(digits[: len(str(first))]) <= last for first, last, lengths in CARD_PREFIXES)
    return usual and luhn(digits)


def luhn(digits: str) -> bool:
    """Every second digit from the right is doubled (and 9 taken off above 9); the sum of all is a multiple of ten."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def is_cpf(digits: str) -> bool:
    if len(digits) != CPF_DIGITS or not (digits.isascii() and digits.isdigit()) or len(set(digits)) == 1:
        return False
    return all(_check_digit(digits[:end], range(end + 1, 1, -1)) == int(digits[end]) for end in (9, 10))


def is_cnpj(characters: str) -> bool:
    """Twelve digits or, since 2026, capital letters, which count by their place in ASCII from the digit 0 on, and two check digits."""
    usual = characters.isascii() and characters.isalnum() and characters == characters.upper() and characters[12:].isdigit()
    if len(characters) != CNPJ_DIGITS or not usual or len(set(characters)) == 1:
        return False
    weights = (5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)
    return all(_check_digit(characters[:end], (6, *weights) if end == 13 else weights) == int(characters[end]) for end in (12, 13))


def _check_digit(characters: str, weights: range | tuple[int, ...]) -> int:
    """Modulo 11 of the weighted sum; 10 and 11 give 0."""
    total = sum((ord(character) - ord("0")) * weight for character, weight in zip(characters, weights, strict=True))
    rest = total % 11
    return 0 if rest < 2 else 11 - rest
