"""How many segments the phone network makes of a text. Pure; the rules are those of 3GPP TS 23.038 and 23.040.

A text of GSM-7 characters only has 160 in one segment or 153 in each of several; any other text is sent as UCS-2
with 70 or 67 UTF-16 units. Characters of the extension table take two places, as do those outside the basic plane in
UCS-2, and neither kind is cut in two by a border between segments.
"""

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = frozenset("\f^{}\\[~]|€")

GSM_SINGLE, GSM_PART = 160, 153
UCS_SINGLE, UCS_PART = 70, 67


def is_gsm(text: str) -> bool:
    """Return whether a text can go out as GSM-7."""
    return all(character in _BASIC or character in _EXTENSION for character in text)


def count_segments(text: str) -> int:
    """Return the number of segments that the network will count; 0 for an empty text."""
    if is_gsm(text):
        places, single, part = (
            [2 if character in _EXTENSION else 1 for character in text],
            GSM_SINGLE,
            GSM_PART,
        )
    else:
        places, single, part = (
            [2 if ord(character) > 0xFFFF else 1 for character in text],
            UCS_SINGLE,
            UCS_PART,
        )
    if sum(places) <= single:
        return 1 if places else 0
    segments, room = 1, part
    for size in places:
        if size > room:
            segments, room = segments + 1, part
        room -= size
    return segments


def cost_note(text: str) -> str:
    """Return in words which characters make a text cost more segments than it had to; empty where none does."""
    odd = sorted({character for character in text if not is_gsm(character)})
    segments = count_segments(text)
    without = count_segments("".join(character if is_gsm(character) else "x" for character in text))
    if not odd or segments <= without:
        return ""
    shown = ", ".join(f'"{character}"' for character in odd[:5])
    verb = "is" if len(odd) == 1 else "are"
    return f"{shown} {verb} not in the GSM alphabet: {segments} segments instead of {without}."
