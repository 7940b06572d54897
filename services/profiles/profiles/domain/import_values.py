"""What single values of a file mean: days, amounts, payments, names. What can be read in two ways is not read.

Runs for every line of a file: figures in bench/import_clients.py.
"""

import re
import unicodedata
from collections.abc import Mapping
from datetime import date, timedelta
from functools import lru_cache
from typing import NamedTuple

from profiles.domain.imports import DateOrder
from profiles.domain.payments import PaymentKind

EARLIEST_YEAR = 1900


class Ambiguous(Exception):
    """A value that can be read in several ways; the text says in which."""


class ReadDay(NamedTuple):
    """A day of the calendar; year 0 where it is not known."""

    year: int
    month: int
    day: int
    is_day_number: bool = False


_TIME = r"(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?: ?[AaPp][Mm])?(?:Z|[+-]\d\d:?\d\d)?)?"
_YEAR_FIRST = re.compile(rf"(\d{{4}})([-/.])(\d\d?)\2(\d\d?){_TIME}|(\d{{4}})(\d\d)(\d\d)", re.ASCII)
_YEAR_LAST = re.compile(rf"(\d\d?)([-/.])(\d\d?)\2(\d{{4}}){_TIME}", re.ASCII)
_YEARLESS = re.compile(r"(?:--|0000-)(\d\d)-(\d\d)", re.ASCII)
_DAY_NUMBER = re.compile(r"(\d{1,5})(?:[.,]\d{1,15})?", re.ASCII)
# ECMA-376 part 1, 18.17.4: day 1 is 1 January 1900, and day 60 is a 29 February that 1900 did not have.
_DAY_ZERO = date(1899, 12, 30)
_LAST_DAY_NUMBER = 80_000
_LEAP_YEAR = 2000


@lru_cache(maxsize=8192)
def day_of(text: str, order: DateOrder | None, *, is_yearless_allowed: bool = False) -> ReadDay | None:
    """Return the day that `text` says, None for no day of the calendar. Raises Ambiguous.

    Reads YYYY-MM-DD (also with / or . and a time behind it), YYYYMMDD, days with the year last as `order` says or as
    they can only be meant, day numbers of a spreadsheet from 1 to 80000, and, where allowed, --MM-DD.
    """
    if found := _YEAR_FIRST.fullmatch(text):
        parts = [part for part in found.groups() if part and part.isdigit()]
        return _day(*(int(part) for part in parts))
    if found := _YEAR_LAST.fullmatch(text):
        first, _, second, year = found.groups()
        return _year_last(int(first), int(second), int(year), order)
    if is_yearless_allowed and (found := _YEARLESS.fullmatch(text)):
        return _day(0, *(int(part) for part in found.groups()))
    if found := _DAY_NUMBER.fullmatch(text):
        number = int(found[1])
        if number == 60 or not 1 <= number <= _LAST_DAY_NUMBER:
            return None
        day = _DAY_ZERO + timedelta(days=number if number > 60 else number + 1)
        return ReadDay(day.year, day.month, day.day, True)
    return None


def _year_last(first: int, second: int, year: int, order: DateOrder | None) -> ReadDay | None:
    if order is DateOrder.DAY_FIRST:
        return _day(year, second, first)
    if order is DateOrder.MONTH_FIRST:
        return _day(year, first, second)
    day_first, month_first = _day(year, second, first), _day(year, first, second)
    if day_first and month_first and day_first != month_first:
        raise Ambiguous("may be read with the day or with the month first; date_order decides")
    return day_first or month_first


def _day(year: int, month: int, day: int) -> ReadDay | None:
    if year and year < EARLIEST_YEAR:
        return None
    try:
        date(year or _LEAP_YEAR, month, day)
    except ValueError:
        return None
    return ReadDay(year, month, day)


_PLAIN = {
    ".": re.compile(r"([+-]?)(\d{1,13})(?:\.(\d*))?", re.ASCII),
    ",": re.compile(r"([+-]?)(\d{1,13})(?:,(\d*))?", re.ASCII),
}
_BLANKS = dict.fromkeys(
    map(ord, " \u00a0\u202f\u2009'\u2019")
)  # between thousands: blanks of all widths, Swiss apostrophes
_GROUPED_BLANKS = re.compile("\\d{1,3}(?:[ \u00a0\u202f\u2009'\u2019]\\d{3})+(?:[.,]\\d*)?", re.ASCII)
_GROUPED = {
    ".": re.compile(r"\d{1,3}(?:\.\d{3})+", re.ASCII),
    ",": re.compile(r"\d{1,3}(?:,\d{3})+", re.ASCII),
}
_SIGNS: Mapping[str, frozenset[str]] = {
    "$": frozenset({"USD", "CAD", "AUD", "NZD", "SGD", "HKD", "MXN", "TWD"}),
    "€": frozenset({"EUR"}),
    "£": frozenset({"GBP"}),
    "¥": frozenset({"JPY", "CNY"}),
    "₩": frozenset({"KRW"}),
    "₹": frozenset({"INR"}),
}


def minor_units(text: str, digits: int, *, decimal: str = ".", currency: str = "") -> int | None:
    """Return the minor units of an amount, or None for anything else and anything finer than `digits`.

    `decimal` is the sign that the file has before decimals. Thousands may be grouped by blanks, apostrophes or the
    other sign; the sign or code of `currency` may stand at either end; negative is -1.00, 1.00- and (1.00).
    """
    found = _PLAIN[decimal].fullmatch(text)
    if found is None and (normal := _plain(text, digits, decimal, currency)) is not None:
        found = _PLAIN["."].fullmatch(normal)
    if found is None:
        return None
    sign, whole, fraction = found.groups(default="")
    fraction = fraction.rstrip("0") if len(fraction) > digits else fraction
    if len(fraction) > digits:
        return None
    minor = int(whole + fraction.ljust(digits, "0"))
    return -minor if sign == "-" else minor


def _plain(text: str, digits: int, decimal: str, currency: str) -> str | None:
    """Return an amount as digits with a point, None when it is none."""
    bare, sign = _unsigned(text, currency)
    if _GROUPED_BLANKS.fullmatch(bare):
        bare = bare.translate(_BLANKS)
    commas, points = bare.count(","), bare.count(".")
    if commas and points:
        # Whichever comes last stands before the decimals; the other groups thousands.
        decimal = "," if bare.rindex(",") > bare.rindex(".") else "."
        other = "." if decimal == "," else ","
        whole, _, fraction = bare.rpartition(decimal)
        if not _GROUPED[other].fullmatch(whole):
            return None
        return f"{sign}{whole.replace(other, '')}.{fraction}"
    if not commas and not points:
        return sign + bare
    separator = "," if commas else "."
    is_grouped = _GROUPED[separator].fullmatch(bare) is not None
    if commas + points > 1:
        return sign + bare.replace(separator, "") if is_grouped else None
    if is_grouped and separator != decimal:
        # With three decimals it could be either.
        return sign + bare.replace(separator, "") if digits < 3 else None
    return sign + bare.replace(",", ".")


def _unsigned(text: str, currency: str) -> tuple[str, str]:
    """Return an amount without sign and currency, and its sign."""
    bare, sign = text.strip(), ""
    if bare.startswith("(") and bare.endswith(")"):
        bare, sign = bare[1:-1].strip(), "-"
    elif bare.endswith("-"):
        bare, sign = bare[:-1].rstrip(), "-"
    elif bare[:1] in ("-", "\u2212"):
        bare, sign = bare[1:].lstrip(), "-"
    for mark in (currency, *(mark for mark, codes in _SIGNS.items() if currency in codes)):
        if mark:
            bare = bare.removeprefix(mark).removesuffix(mark).strip()
    if not sign and bare[:1] in ("-", "\u2212"):
        bare, sign = bare[1:], "-"
    return bare, sign


_PAYMENTS: Mapping[PaymentKind, str] = {
    PaymentKind.CASH: "cash bar bargeld barzahlung especes efectivo contanti contante dinheiro contant",
    PaymentKind.CASH_EQUIVALENT: "cashequivalent moneyorder cashierscheck cashiercheck bankdraft travelerscheck"
    " travellerscheque travelerscheque bankcheck certifiedcheck",
    PaymentKind.CARD: "card creditcard debitcard credit debit visa mastercard master mc amex americanexpress discover"
    " diners jcb unionpay maestro girocard ec eckarte kreditkarte karte cartebancaire cb carte tarjeta carta bancomat"
    " cartao pin applepay googlepay contactless terminal",
    PaymentKind.BANK_TRANSFER: "banktransfer wire wiretransfer transfer ach sepa ueberweisung uberweisung virement"
    " transferencia bonifico overboeking zelle eft invoice rechnung",
    PaymentKind.PERSONAL_CHECK: "check cheque personalcheck scheck assegno",
    PaymentKind.FINANCING: "financing finance loan instalments installments layaway klarna affirm synchrony wellsfargo"
    " ratenzahlung leasing",
    PaymentKind.STORE_CREDIT: "storecredit giftcard giftcertificate voucher gutschein credito gutscheinkarte"
    " cartecadeau trade tradein",
    PaymentKind.OTHER: "other sonstige autre otro altro paypal crypto bitcoin",
}
_PAYMENT_OF = {word: kind for kind, words in _PAYMENTS.items() for word in reversed(words.split())}
_LETTERS = re.compile(r"[^a-z0-9]+")


@lru_cache(maxsize=1024)
def payment_of(text: str) -> tuple[PaymentKind, bool]:
    """Return how something was paid, and whether the word is known; OTHER for one that is not."""
    word = _LETTERS.sub("", plain_letters(text))
    if found := _PAYMENT_OF.get(word) or _PAYMENT_OF.get(word.removesuffix("s")):
        return found, True
    return PaymentKind.OTHER, False


def plain_letters(text: str) -> str:
    """Return text in lower case without accents, for words that are looked up."""
    decomposed = unicodedata.normalize("NFKD", text.casefold().replace("ø", "o").replace("ł", "l"))
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


_TITLES = frozenset(
    {
        "mr", "mrs", "ms", "miss", "mx", "dr", "prof", "sir", "herr", "frau", "fr", "hr", "mme", "mlle", "m",
        "sr", "sra", "srta", "sig", "dhr", "mevr",
    }
)  # fmt: skip
_PARTICLES = frozenset(
    {
        "van", "von", "der", "den", "de", "del", "della", "di", "da", "dos", "das", "du", "la", "le", "lo",
        "ter", "ten", "zu", "zum", "zur", "af", "av", "bin", "al", "el", "st", "san",
    }
)  # fmt: skip


@lru_cache(maxsize=2048)
def split_name(full_name: str) -> tuple[str, str]:
    """Return given and family name of a full one: around a comma, else the last word with its particles."""
    family, comma, given = full_name.partition(",")
    if comma:
        return " ".join(given.split()), " ".join(family.split())
    words = full_name.split()
    while len(words) > 1 and words[0].casefold().rstrip(".") in _TITLES:
        del words[0]
    if len(words) < 2:
        return " ".join(words), ""
    start = len(words) - 1
    while start > 1 and words[start - 1].casefold() in _PARTICLES:
        start -= 1
    return " ".join(words[:start]), " ".join(words[start:])


_LANGUAGE = re.compile(r"([A-Za-z]{2,3})(?:[-_]([A-Za-z]{4}))?(?:[-_]([A-Za-z]{2}|\d{3}))?", re.ASCII)
_LANGUAGES = {
    "english": "en", "englisch": "en", "anglais": "en", "ingles": "en", "inglese": "en", "eng": "en",
    "german": "de", "deutsch": "de", "allemand": "de", "aleman": "de", "tedesco": "de", "ger": "de", "deu": "de",
    "french": "fr", "franzosisch": "fr", "francais": "fr", "frances": "fr", "francese": "fr", "fra": "fr", "fre": "fr",
    "spanish": "es", "spanisch": "es", "espagnol": "es", "espanol": "es", "spagnolo": "es", "spa": "es",
    "italian": "it", "italienisch": "it", "italien": "it", "italiano": "it", "ita": "it",
    "portuguese": "pt", "portugues": "pt", "dutch": "nl", "nederlands": "nl", "niederlandisch": "nl",
    "chinese": "zh", "mandarin": "zh", "japanese": "ja", "korean": "ko", "russian": "ru", "arabic": "ar",
}  # fmt: skip


@lru_cache(maxsize=512)
def language_of(text: str) -> str | None:
    """Return the BCP 47 tag of a language given as a tag or in a common word, None for anything else."""
    if found := _LANGUAGES.get(plain_letters(text).strip()):
        return found
    if (match := _LANGUAGE.fullmatch(text)) is None:
        return None
    language, script, region = match.groups()
    return "-".join(
        part
        for part in (language.lower(), script.title() if script else "", region.upper() if region else "")
        if part
    )


_COUNTRIES = {
    "usa": "US", "unitedstates": "US", "unitedstatesofamerica": "US", "us": "US", "uk": "GB", "gbr": "GB",
    "unitedkingdom": "GB", "greatbritain": "GB", "england": "GB", "scotland": "GB", "germany": "DE",
    "deutschland": "DE", "allemagne": "DE", "deu": "DE", "france": "FR", "frankreich": "FR", "fra": "FR",
    "switzerland": "CH", "schweiz": "CH", "suisse": "CH", "svizzera": "CH", "che": "CH", "austria": "AT",
    "osterreich": "AT", "aut": "AT", "italy": "IT", "italien": "IT", "italia": "IT", "ita": "IT", "spain": "ES",
    "spanien": "ES", "espana": "ES", "esp": "ES", "portugal": "PT", "prt": "PT", "netherlands": "NL",
    "niederlande": "NL", "nederland": "NL", "nld": "NL", "belgium": "BE", "belgien": "BE", "belgique": "BE",
    "belgie": "BE", "bel": "BE", "luxembourg": "LU", "luxemburg": "LU", "ireland": "IE", "irl": "IE", "canada": "CA",
    "can": "CA", "mexico": "MX", "mex": "MX", "brazil": "BR", "brasil": "BR", "bra": "BR", "australia": "AU",
    "aus": "AU", "newzealand": "NZ", "nzl": "NZ", "japan": "JP", "jpn": "JP", "china": "CN", "chn": "CN",
    "hongkong": "HK", "hkg": "HK", "singapore": "SG", "sgp": "SG", "india": "IN", "ind": "IN",
    "unitedarabemirates": "AE", "uae": "AE", "are": "AE", "sweden": "SE", "schweden": "SE", "sverige": "SE",
    "norway": "NO", "norwegen": "NO", "norge": "NO", "denmark": "DK", "danemark": "DK", "danmark": "DK",
    "finland": "FI", "finnland": "FI", "poland": "PL", "polen": "PL", "polska": "PL", "greece": "GR",
    "griechenland": "GR", "czechia": "CZ", "czechrepublic": "CZ", "southkorea": "KR", "korea": "KR",
}  # fmt: skip


@lru_cache(maxsize=512)
def country_of(text: str) -> str | None:
    """Return the ISO 3166-1 alpha-2 code of a country given as a code or in a common name, None for anything else."""
    if found := _COUNTRIES.get(_LETTERS.sub("", plain_letters(text))):
        return found
    code = text.upper()
    return code if len(code) == 2 and code.isascii() and code.isalpha() else None
