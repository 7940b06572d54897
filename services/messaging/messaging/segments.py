"""How many segments a text costs: carriers count and charge these, not messages. Pure.

GSM 03.38: 160 characters of seven bits alone, 153 a segment when there are several; anything outside of its alphabet
turns the whole text into UCS-2 with 70 and 67. One curly quote can double the cost.
"""

from collections.abc import Iterable

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("\f^{}\\[~]|€")  # an escape and a character: two places, never torn apart
_GSM_ONE, _GSM_MANY = 160, 153
_UCS_ONE, _UCS_MANY = 70, 67


def is_gsm(body: str) -> bool:
    """Return whether `body` fits the seven-bit alphabet."""
    return all(character in _BASIC or character in _EXTENDED for character in body)


def costly_characters(body: str) -> list[str]:
    """Return the characters that make `body` UCS-2, each once, in their order; none when it fits the other alphabet."""
    return [one for one in dict.fromkeys(body) if one not in _BASIC and one not in _EXTENDED]


def count_segments(body: str) -> int:
    """Return the number of segments that `body` is sent as; at least 1."""
    if is_gsm(body):
        return _pack([2 if character in _EXTENDED else 1 for character in body], _GSM_ONE, _GSM_MANY)
    return _pack([2 if ord(character) > 0xFFFF else 1 for character in body], _UCS_ONE, _UCS_MANY)


def _pack(widths: Iterable[int], alone: int, together: int) -> int:
    widths = list(widths)
    if sum(widths) <= alone:
        return 1
    segments, used = 1, 0
    for width in widths:
        if used + width > together:
            segments, used = segments + 1, 0
        used += width
    return segments
