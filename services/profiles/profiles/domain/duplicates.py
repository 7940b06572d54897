"""Whether two clients are one person: the evidence, what each piece of it weighs, and under which keys pairs are met.

Pure: the same two clients have the same score at any time and in either order. The weights are log-odds, added to START
and brought between 0 and 1 by the logistic function; the README says how they come out.
"""

import enum
import hashlib
import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from rapidfuzz.distance import DamerauLevenshtein, Indel

from chassis.errors import Kind, ServiceError
from profiles.domain.names import Likeness, family_likeness, formal_names, given_likeness, sound_of, words_of

# Two clients who met under a key are two people, until something else than the key says otherwise.
START = -4.0
# From here on a pair is on the list for review.
REVIEW_SCORE = 0.6
# From here on, and only with everything that is_certain asks for, a chain may have pairs merged by themselves.
AUTOMATIC_SCORE = 0.99
# From here on a capture asks before it adds somebody: a question costs a tap, a second profile costs a merge.
CAPTURE_SCORE = 0.3
# A dismissed pair comes back when its weights add up to this much more than when somebody said that they are two.
NEW_EVIDENCE = 0.5
# Under one key at most so many clients are compared with one another; what is shared by more says nothing, such as
# the number of the store itself, typed in for everybody who gave none.
CROWD = 24


class Reason(enum.StrEnum):
    """One thing that speaks for or against."""

    SAME_PHONE = "same_phone"
    SAME_EMAIL = "same_email"
    SIMILAR_EMAIL = "similar_email"
    SIMILAR_NAME = "similar_name"
    SAME_ADDRESS = "same_address"
    SAME_BIRTHDAY = "same_birthday"
    DIFFERENT_GIVEN_NAME = "different_given_name"
    DIFFERENT_BIRTHDAY = "different_birthday"
    RELATED = "related"


@dataclass(frozen=True, slots=True)
class Weight:
    """What one piece of evidence adds to the score, and in which words it is told."""

    reason: Reason
    weight: float
    explanation: str


# A family shares its telephone, often its e-mail, always its address: with a name beside it each is enough, alone none
# is. The e-mail weighs most because fewer share one.
SAME_PHONE = Weight(Reason.SAME_PHONE, 3.0, "The same phone number.")
SAME_EMAIL = Weight(Reason.SAME_EMAIL, 4.5, "The same e-mail.")
# The same name at another provider, or a letter apart.
SIMILAR_EMAIL = Weight(Reason.SIMILAR_EMAIL, 1.5, "E-mails that are nearly the same.")
SAME_ADDRESS = Weight(Reason.SAME_ADDRESS, 1.5, "The same address.")
# One in some twenty thousand strangers has the very day, one in 365 the day of the year.
SAME_BIRTHDAY = Weight(Reason.SAME_BIRTHDAY, 2.5, "Born on the same day.")
SAME_DAY_OF_YEAR = Weight(Reason.SAME_BIRTHDAY, 1.2, "The same birthday; the year is not known of both.")
# Stronger than a shared telephone and address together: this is what tells a family from one person.
DIFFERENT_GIVEN_NAME = Weight(Reason.DIFFERENT_GIVEN_NAME, -5.0, "The given names are those of two people.")
# A father and a son of one name live at one address. A swapped day and month, or one wrong figure, is not held against.
DIFFERENT_BIRTHDAY = Weight(Reason.DIFFERENT_BIRTHDAY, -5.0, "Born on different days.")
# Somebody wrote down that they are two.
RELATED = Weight(Reason.RELATED, -6.0, "A relationship between the two is on record.")

# (given names, family names) -> weight. A whole name that agrees makes up for START and leaves 0.5, which is less than
# REVIEW_SCORE: there are many John Smiths.
_NAMES: Mapping[tuple[Likeness, Likeness], Weight] = {
    (given, family): Weight(Reason.SIMILAR_NAME, weight, explanation)
    for given, family, weight, explanation in (
        (Likeness.SAME, Likeness.SAME, 4.0, "The same name."),
        (Likeness.SAME, Likeness.SAID, 3.8, "The same name; one of them has a part of the family name only."),
        (Likeness.SAID, Likeness.SAME, 3.8, "The same name, as it is said: a short form, or a part of it."),
        (Likeness.SAID, Likeness.SAID, 3.6, "The same name, as it is said: parts of it."),
        (Likeness.ALIKE, Likeness.SAME, 3.4, "Names that are a letter or two apart."),
        (Likeness.SAME, Likeness.ALIKE, 3.4, "Names that are a letter or two apart."),
        (Likeness.ALIKE, Likeness.SAID, 3.2, "Names that are a letter or two apart."),
        (Likeness.SAID, Likeness.ALIKE, 3.2, "Names that are a letter or two apart."),
        (Likeness.ALIKE, Likeness.ALIKE, 2.4, "Names that are a few letters apart."),
        (Likeness.INITIAL, Likeness.SAME, 2.0, "The same family name, and an initial that fits."),
        (Likeness.SAME, Likeness.UNKNOWN, 2.0, "The same given name; the family name is not known of both."),
        (Likeness.SAID, Likeness.UNKNOWN, 1.6, "Given names that are said for one another."),
        (Likeness.UNKNOWN, Likeness.SAME, 1.0, "The same family name; the given name is not known of both."),
        (Likeness.UNCLEAR, Likeness.SAME, 0.5, "The same family name, and given names that are close."),
    )
}  # fmt: skip
_SWAPPED = Weight(Reason.SIMILAR_NAME, 3.8, "The same name; given and family name stand the other way round.")

# In front of the @ these name an office, not somebody.
_OFFICES = frozenset(
    {
        "info", "contact", "office", "sales", "mail", "hello", "admin", "kontakt", "support", "service", "billing",
        "accounts", "team", "shop", "store", "email",
    }
)  # fmt: skip
_SHORTEST_LOCAL_PART = 5
_NEARLY_THE_SAME_EMAIL = 0.92  # of normalised indel similarity: a letter in twelve
_NEARLY_THE_SAME_ADDRESS = 0.85
_STREETS = {
    "street": "st", "str": "st", "strasse": "st", "avenue": "ave", "av": "ave", "road": "rd", "boulevard": "blvd",
    "drive": "dr", "lane": "ln", "place": "pl", "square": "sq", "court": "ct", "apartment": "apt", "suite": "ste",
    "north": "n", "south": "s", "east": "e", "west": "w",
}  # fmt: skip
_ADDRESS_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Features:
    """What of a client is compared. `phones` and `emails` are as they are matched, `birthday` has year 0 if unknown."""

    client_id: str
    given: tuple[str, ...] = ()
    family: tuple[str, ...] = ()
    nickname: tuple[str, ...] = ()
    phones: frozenset[str] = frozenset()
    emails: frozenset[str] = frozenset()
    address: tuple[str, ...] = ()
    place: str = ""
    birthday: tuple[int, int, int] | None = None

    @property
    def has_whole_name(self) -> bool:
        """Return whether given and family name are both there, and neither is an initial."""
        return bool(self.given and self.family) and len(self.given[0]) > 1 and len(self.family[0]) > 1


def features_of(
    client_id: str,
    *,
    given_name: str = "",
    family_name: str = "",
    nickname: str = "",
    phones: Collection[str] = (),
    emails: Collection[str] = (),
    address_lines: Sequence[str] = (),
    postal_code: str = "",
    locality: str = "",
    birthday: tuple[int, int, int] | None = None,
) -> Features:
    """Return what of a client is compared; a whole name in one field is taken apart."""
    given, family = words_of(given_name), words_of(family_name)
    if not family and len(given) > 1:
        given, family = given[:-1], given[-1:]
    elif not given and len(family) > 1:
        given, family = family[:-1], family[-1:]
    lines = " ".join(address_lines).casefold()
    place = "".join(_ADDRESS_WORD.findall(postal_code.casefold())) or " ".join(words_of(locality))
    return Features(
        client_id,
        given,
        family,
        words_of(nickname),
        frozenset(phones),
        frozenset(email.lower() for email in emails),
        tuple(sorted(_STREETS.get(word, word) for word in _ADDRESS_WORD.findall(lines))),
        place,
        birthday,
    )


@dataclass(frozen=True, slots=True)
class Score:
    """How likely two clients are one person, between 0 and 1, and why."""

    value: float
    weights: tuple[Weight, ...]

    @property
    def is_certain(self) -> bool:
        """Return whether nobody need look: the same whole name, the same phone, the same e-mail, nothing against."""
        kinds = {weight.reason for weight in self.weights}
        return (
            self.value >= AUTOMATIC_SCORE
            and {Reason.SAME_PHONE, Reason.SAME_EMAIL} <= kinds
            and _NAMES[Likeness.SAME, Likeness.SAME] in self.weights
            and all(weight.weight > 0 for weight in self.weights)
        )


def score(
    one: Features, other: Features, *, are_related: bool = False, crowded: Collection[str] = frozenset()
) -> Score:
    """Return how likely the two are one person. What is `crowded`, a number or e-mail of many, says nothing."""
    weights = list(_weigh(one, other, crowded))
    if are_related:
        weights.append(RELATED)
    weights.sort(key=lambda weight: (-weight.weight, weight.reason))
    total = START + sum(weight.weight for weight in weights)
    return Score(1 / (1 + math.exp(-total)), tuple(weights))


def _weigh(one: Features, other: Features, crowded: Collection[str]) -> Iterator[Weight]:
    if any(phone not in crowded for phone in one.phones & other.phones):
        yield SAME_PHONE
    if any(email not in crowded for email in one.emails & other.emails):
        yield SAME_EMAIL
    elif _have_similar_email(one.emails, other.emails, crowded):
        yield SIMILAR_EMAIL
    if (named := _weigh_names(one, other)) is not None:
        yield named
    if _have_same_address(one, other):
        yield SAME_ADDRESS
    if one.birthday and other.birthday:
        yield from _weigh_birthdays(one.birthday, other.birthday)


def _weigh_names(one: Features, other: Features) -> Weight | None:
    given = max(
        given_likeness(one.given, other.given),
        # A nickname stands for the given name where it agrees; where it does not, it says nothing.
        *(
            Likeness.SAID
            for said, name in ((one.nickname, other.given), (other.nickname, one.given), (one.nickname, other.nickname))
            if said and name and given_likeness(said, name) >= Likeness.ALIKE
        ),
        Likeness.DIFFERENT,
    )  # fmt: skip
    family = family_likeness(one.family, other.family)
    if given <= Likeness.UNCLEAR and one.given and one.given == other.family and one.family == other.given:
        return _SWAPPED
    if given is Likeness.DIFFERENT:
        return DIFFERENT_GIVEN_NAME
    return _NAMES.get((given, family))


def _local_part(email: str) -> str:
    """Return what stands before the @ without dots and what follows a plus: one mailbox for most providers."""
    return email.partition("@")[0].partition("+")[0].replace(".", "").replace("_", "").replace("-", "")


def _says_who(local: str) -> bool:
    return len(local) >= _SHORTEST_LOCAL_PART and local not in _OFFICES


def _have_similar_email(one: Collection[str], other: Collection[str], crowded: Collection[str]) -> bool:
    return any(
        _are_similar(a, b)
        for a in one
        for b in other
        if a not in crowded and b not in crowded and a not in other and b not in one
    )


def _are_similar(one: str, other: str) -> bool:
    locals_ = _local_part(one), _local_part(other)
    if not all(map(_says_who, locals_)):
        return False
    if locals_[0] == locals_[1]:
        return True
    # Namesakes take the next number: john.smith12 is not john.smith13.
    figures = [[character for character in local if character.isdigit()] for local in locals_]
    return figures[0] == figures[1] and Indel.normalized_similarity(one, other) >= _NEARLY_THE_SAME_EMAIL


def _have_same_address(one: Features, other: Features) -> bool:
    if not one.address or not other.address or one.place != other.place:
        return False
    if one.address == other.address:
        return True
    figures = [{word for word in side.address if word[0].isdigit()} for side in (one, other)]
    if figures[0] != figures[1]:
        return False
    alike = Indel.normalized_similarity(" ".join(one.address), " ".join(other.address))
    return alike >= _NEARLY_THE_SAME_ADDRESS


def _weigh_birthdays(one: tuple[int, int, int], other: tuple[int, int, int]) -> Iterator[Weight]:
    if one[1:] == other[1:]:
        if one[0] and one[0] == other[0]:
            yield SAME_BIRTHDAY
        elif not one[0] or not other[0]:
            yield SAME_DAY_OF_YEAR
        elif not _one_figure_apart(one, other):
            yield DIFFERENT_BIRTHDAY
        return
    is_swapped = one[1:] == (other[2], other[1]) and (not one[0] or not other[0] or one[0] == other[0])
    if not is_swapped and not _one_figure_apart(one, other):
        yield DIFFERENT_BIRTHDAY


def _one_figure_apart(one: tuple[int, int, int], other: tuple[int, int, int]) -> bool:
    years = (one[0], other[0]) if one[0] and other[0] else (0, 0)
    a, b = (f"{year:04}{day[1]:02}{day[2]:02}" for year, day in zip(years, (one, other), strict=True))
    return DamerauLevenshtein.distance(a, b) == 1


def contact_key(value: str) -> int:
    """Return the key of a phone number or an e-mail."""
    return _hashed("c", value)


def keys_of(client: Features) -> frozenset[int]:
    """Return the keys under which a client is found: those that others are met under, and those of the name alone.

    Whoever reaches REVIEW_SCORE with somebody meets her: under a contact, a mailbox, an address, a birthday with a
    name or a piece of it, or a name with a piece of an e-mail or the postal code. Under a name alone nobody is met: it
    is no evidence, and more people have it the more clients there are. Captures look it up.
    """
    keys = {contact_key(value) for value in client.phones | client.emails}
    locals_ = {local for email in client.emails if _says_who(local := _local_part(email))}
    keys.update(_hashed("l", local) for local in locals_)
    if client.address:
        # Without a place the street has to do.
        streets = [word for word in client.address if not word[0].isdigit()]
        where = [client.place] if client.place else ["", *streets[:1]]
        keys.add(_hashed("a", *where, *(word for word in client.address if word[0].isdigit())))
    family = sound_of(client.family[0]) if client.family else ""
    whole = name_sounds(client)
    if client.birthday:
        # The year is not known of everybody. Where it is, half a name must do, for who has no family name.
        year, *day = map(str, client.birthday)
        calls = {sound_of(name) for names in (client.given, client.nickname) for name in names[:1]}
        keys.update(_hashed("d", name, *day) for name in whole)
        if family:
            keys.add(_hashed("b", family, *day))
            keys.update(_hashed("y", word, family[:1], *day) for word in calls)
        if client.birthday[0]:
            keys.update(_hashed("g", word, year, *day) for word in calls)
    for name in whole:
        keys.update(_hashed("m", name, local[:3]) for local in locals_)
        if client.place:
            keys.add(_hashed("z", name, client.place))
    return frozenset(keys) | name_keys(client)


def is_met_under(key: int) -> bool:
    """Return whether those who share a key are compared."""
    return not key & 1


def name_keys(client: Features) -> frozenset[int]:
    """Return the keys of a client's name alone; none for half a name."""
    return frozenset(_hashed("n", name) | 1 for name in name_sounds(client))


def name_sounds(client: Features) -> frozenset[str]:
    """Return how a whole name sounds, in either order, as it stands and by the formal names that it is said for."""
    if not client.given or not client.family:
        return frozenset()
    family = sound_of(client.family[0])
    given = {sound_of(name) for name in formal_names(client.given[0])}
    return frozenset(" ".join(sorted((name, family))) for name in given)


def _hashed(*parts: str) -> int:
    digest = hashlib.blake2b("\n".join(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, signed=True) & ~1  # the last bit says whether anybody is met under it


class DuplicateState(enum.StrEnum):
    """What became of a pair."""

    OPEN = "open"
    DISMISSED = "dismissed"
    MERGED = "merged"


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A pair that may be one person; `first_client_id` is the older record."""

    duplicate_id: str
    first_client_id: str
    second_client_id: str
    score: float
    reasons: tuple[Weight, ...]
    state: DuplicateState
    created_at: datetime
    decided_by: str = ""
    decided_at: datetime | None = None


class PassState(enum.StrEnum):
    """How far a pass is."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class DuplicatePass:
    """One look through all clients of a chain."""

    duplicate_pass_id: str
    state: PassState
    clients_read: int
    pairs_compared: int
    duplicates_found: int
    merged_automatically: int
    failure: str
    created_at: datetime
    finished_at: datetime | None


class DuplicateMerged(ServiceError):
    """The two are one already."""

    def __init__(self, duplicate_id: str) -> None:
        super().__init__(
            Kind.PRECONDITION,
            "DUPLICATE_MERGED",
            "These two were merged. Take the merge back instead.",
            metadata={"duplicate_id": duplicate_id},
        )
