"""Invented people: names, numbers that are kept for fiction, languages, zones. Pure, and equal for equal seeds."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

GIVEN_NAMES = (
    "Adaeze", "Aino", "Amara", "Anahí", "Anders", "Aoife", "Beatriz", "Björn", "Camille", "Chiara",
    "Chidi", "Clément", "Dae-jung", "Dalia", "Desmond", "Eilidh", "Élodie", "Emre", "Esperanza", "Farid",
    "Fiona", "François", "Gabriela", "Giulia", "Grace", "Hana", "Hélène", "Hugo", "Imani", "Inés",
    "Isabel", "Jamal", "Jana", "Jesús", "Joaquín", "Kenji", "Kwame", "Lakshmi", "Léa", "Linh",
    "Lucía", "Maeve", "Marek", "Mateo", "Mei", "Miriam", "Nadia", "Naomi", "Nils", "Noémie",
    "Oluwaseun", "Óscar", "Paloma", "Priya", "Rafael", "Renée", "Rosa", "Ryo", "Saoirse", "Sara",
    "Sebastián", "Siobhán", "Soren", "Thandiwe", "Tomáš", "Valentina", "Vikram", "Yasmin", "Yusuf", "Zoë",
)  # fmt: skip
FAMILY_NAMES = (
    "Abara", "Adler", "Álvarez", "Andrade", "Bakker", "Balogun", "Beaumont", "Benítez", "Bergström", "Castellano",
    "Çelik", "Chaudhary", "Cho", "Connolly", "Dacosta", "Delacroix", "Dvořák", "Echeverría", "Eze", "Falk",
    "Fontaine", "Galloway", "García", "Grünwald", "Haddad", "Hartnell", "Hernández", "Holm", "Ibáñez", "Ishida",
    "Jovanović", "Kaplan", "Kowalczyk", "Lacroix", "Larsson", "Lindqvist", "Lozano", "MacAuley", "Mbeki", "Mendoza",
    "Moreau", "Müller", "Nakagawa", "Ndiaye", "Ní Bhriain", "Núñez", "O'Hara", "Okafor", "Oyelaran", "Peña",
    "Pereira", "Quispe", "Ramaswamy", "Rossi", "Ruiz-Sáenz", "Saïdi", "Santoro", "Søndergaard", "Tanaka", "Thibault",
    "Tran", "Uribe", "Vassallo", "Wexler", "Yildiz", "Zamora", "Zielińska",
)  # fmt: skip
SPANISH = frozenset(
    {"Anahí", "Esperanza", "Inés", "Jesús", "Joaquín", "Lucía", "Mateo", "Óscar", "Paloma", "Sebastián"}
)
FRENCH = frozenset({"Camille", "Clément", "Élodie", "François", "Hélène", "Léa", "Noémie", "Renée"})

# 555-0100 to 555-0199 is kept for fiction in every North American area code.
AREA_CODES = {
    "New York": ("212", "917", "646", "347", "201", "203"),
    "Los Angeles": ("213", "310", "323", "424", "818"),
}
ELSEWHERE = {
    "617": "America/New_York",
    "312": "America/Chicago",
    "305": "America/New_York",
    "808": "Pacific/Honolulu",
}
"""Area codes of clients who live elsewhere, with their zones."""


@dataclass(frozen=True)
class Person:
    """Somebody who does not exist."""

    given_name: str
    family_name: str
    email: str
    phone: str
    language: str
    time_zone: str

    @property
    def full_name(self) -> str:
        """Return the name as one says it."""
        return f"{self.given_name} {self.family_name}"


def people(chance: random.Random, city: str, time_zone: str) -> Iterator[Person]:
    """Yield people of a city without end of names, each with an e-mail and a number that nobody else has."""
    names = [(given, family) for given in GIVEN_NAMES for family in FAMILY_NAMES]
    # The same order for both cities, of which each takes every other name.
    random.Random(0).shuffle(names)  # noqa: S311 - a story, not a secret
    names = names[city == min(AREA_CODES) :: len(AREA_CODES)]
    # 00 and 01 are the stores' own, see `store_number`.
    near = [f"+1{area}55501{last:02}" for area in AREA_CODES[city] for last in range(2, 90)]
    chance.shuffle(near)
    # The rest of each foreign area code's numbers belongs to the other city's people.
    span = range(2, 50) if city == min(AREA_CODES) else range(50, 98)
    far = [f"+1{area}55501{last:02}" for area in ELSEWHERE for last in span]
    chance.shuffle(far)
    for given, family in names:
        lives_elsewhere = bool(far) and chance.random() < 0.07
        if not lives_elsewhere and not near:
            return
        phone = (far if lives_elsewhere else near).pop()
        yield Person(
            given,
            family,
            f"{_plain(given)}.{_plain(family)}@example.com",
            phone,
            _language(chance, given, city),
            ELSEWHERE[phone[2:5]] if lives_elsewhere else time_zone,
        )


def store_number(city: str) -> str:
    """Return the number that a store texts from."""
    return f"+1{AREA_CODES[city][0]}5550100"


def _language(chance: random.Random, given_name: str, city: str) -> str:
    if given_name in SPANISH and chance.random() < (0.8 if city == "Los Angeles" else 0.4):
        return "es-US"
    if given_name in FRENCH and chance.random() < 0.3:
        return "fr"
    return "en-US"


def _plain(name: str) -> str:
    letters = unicodedata.normalize("NFKD", name.replace("ø", "o")).encode("ascii", "ignore").decode()
    return "".join(letter for letter in letters.lower() if letter.isalnum())
