"""Which characters a file's bytes are: the encodings that are read, and what the first bytes say. Reads no line."""

import codecs

from chassis.errors import invalid
from profiles.domain.imports import FileUnreadable

UTF_8 = "UTF-8"
WINDOWS_1252 = "windows-1252"

# What a file may be declared as, and the codec that reads it. ISO-8859-1 is read as windows-1252, as in the Encoding
# Standard of the WHATWG: what differs are control characters that no text has.
_CODECS = {
    UTF_8: "utf-8", "UTF-16": "utf-16", "UTF-16LE": "utf-16-le", "UTF-16BE": "utf-16-be", WINDOWS_1252: "cp1252",
    "ISO-8859-1": "cp1252", "windows-1250": "cp1250", "windows-1251": "cp1251", "windows-1253": "cp1253",
    "windows-1254": "cp1254", "windows-1255": "cp1255", "windows-1256": "cp1256", "windows-1257": "cp1257",
    "windows-1258": "cp1258", "ISO-8859-2": "iso8859-2", "ISO-8859-5": "iso8859-5", "ISO-8859-7": "iso8859-7",
    "ISO-8859-9": "iso8859-9", "ISO-8859-15": "iso8859-15", "macintosh": "mac-roman", "IBM437": "cp437",
    "IBM850": "cp850", "KOI8-R": "koi8-r", "Shift_JIS": "cp932", "EUC-JP": "euc-jp", "GBK": "gbk",
    "GB18030": "gb18030", "Big5": "big5", "EUC-KR": "cp949",
}  # fmt: skip
_LABELS = {
    codecs.lookup("iso8859-1").name: "ISO-8859-1",
    codecs.lookup("ascii").name: UTF_8,
    codecs.lookup("utf-8-sig").name: UTF_8,
}
for _label, _codec in _CODECS.items():
    _LABELS.setdefault(codecs.lookup(_codec).name, _label)
# One byte a character: text in one of them is practically never valid UTF-8 by chance, as it can be in the others.
SINGLE_BYTE = frozenset(_CODECS) - {
    UTF_8, "UTF-16", "UTF-16LE", "UTF-16BE", "Shift_JIS", "EUC-JP", "GBK", "GB18030", "Big5", "EUC-KR",
}  # fmt: skip
_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF8, UTF_8),
    (codecs.BOM_UTF16_LE, "UTF-16LE"),
    (codecs.BOM_UTF16_BE, "UTF-16BE"),
)
MARK_BYTES = 4  # so many bytes tell


def require_encoding(name: str, field: str = "encoding") -> str:
    """Return the usual name of an encoding, empty for empty. Raises ENCODING_UNKNOWN."""
    if not name.strip():
        return ""
    try:
        return _LABELS[codecs.lookup(name.strip()).name]
    except (LookupError, ValueError):
        raise invalid(
            field,
            f"is none of {', '.join(sorted(_CODECS, key=str.casefold))}",
            reason="ENCODING_UNKNOWN",
        ) from None


def codec_of(encoding: str) -> str:
    """Return Python's name of an encoding that require_encoding gave."""
    return _CODECS[encoding]


def begin(start: bytes, declared: str) -> tuple[str, int]:
    """Return the encoding that a file's first bytes and its declaration say, empty while it may be several, and the
    length of the mark. Raises FileUnreadable when the two contradict one another."""
    for mark, encoding in _MARKS:
        if start.startswith(mark):
            if encoding == "UTF-32":
                raise FileUnreadable("The file is in UTF-32. Save it as UTF-8.")
            if declared not in ("", encoding) and not (declared == "UTF-16" and encoding in _UTF_16):
                raise FileUnreadable(f"The file begins with the mark of {encoding}, not as {declared}.")
            return encoding, len(mark)
    if wide := _wide(start):
        if declared not in ("", "UTF-16", wide):
            raise FileUnreadable(f"The file looks like {wide}, not like {declared}.")
        return wide, 0
    if declared == "UTF-16":
        raise FileUnreadable("The file has no mark of UTF-16. Say UTF-16LE or UTF-16BE.")
    return declared, 0


_UTF_16 = ("UTF-16LE", "UTF-16BE")


def _wide(start: bytes) -> str:
    """Return the UTF-16 whose header in Latin letters begins like this: every second byte is zero."""
    if len(start) < MARK_BYTES:
        return ""
    if start[0] and start[2] and not start[1] and not start[3]:
        return "UTF-16LE"
    if start[1] and start[3] and not start[0] and not start[2]:
        return "UTF-16BE"
    return ""


def is_utf_8(line: bytes) -> bool:
    """Return whether bytes are UTF-8."""
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
