"""Stones and metals that belong to months and to anniversaries, by custom.

Months: the list of the Jewelers of America (1912, with tanzanite and spinel since). Years: the list of the American
Gem Trade Association, where it names what a shelf can have.
"""

from functools import lru_cache

_ENGLISH_AND_OTHERS = {
    "garnet": ("garnet", "granate", "grenat", "granat"),
    "amethyst": ("amethyst", "amatista", "amethyste"),
    "aquamarine": ("aquamarine", "aguamarina", "aigue-marine", "aquamarin"),
    "diamond": ("diamond", "diamante", "diamant", "brillant"),
    "emerald": ("emerald", "esmeralda", "emeraude", "smaragd"),
    "pearl": ("pearl", "perla", "perle"),
    "ruby": ("ruby", "rubi", "rubis", "rubin"),
    "peridot": ("peridot", "peridoto"),
    "sapphire": ("sapphire", "zafiro", "saphir"),
    "opal": ("opal", "opalo", "opale"),
    "tourmaline": ("tourmaline", "turmalina", "turmalin"),
    "topaz": ("topaz", "topacio", "topaze", "topas"),
    "citrine": ("citrine", "citrino", "citrin"),
    "turquoise": ("turquoise", "turquesa", "turkis"),
    "tanzanite": ("tanzanite", "tanzanita", "tansanit"),
    "zircon": ("zircon",),
    "spinel": ("spinel", "espinela", "spinelle", "spinell"),
    "alexandrite": ("alexandrite", "alejandrita", "alexandrit"),
    "onyx": ("onyx", "onix"),
    "lapis lazuli": ("lapis lazuli", "lapislazuli"),
    "jade": ("jade",),
    "gold": ("gold", "oro", "or"),
    "silver": ("silver", "plata", "argent", "silber"),
}
_OF_MONTHS = {
    1: ("garnet",),
    2: ("amethyst",),
    3: ("aquamarine",),
    4: ("diamond",),
    5: ("emerald",),
    6: ("pearl", "alexandrite"),
    7: ("ruby",),
    8: ("peridot", "spinel"),
    9: ("sapphire",),
    10: ("opal", "tourmaline"),
    11: ("topaz", "citrine"),
    12: ("turquoise", "tanzanite", "zircon"),
}
_OF_YEARS = {
    1: "gold",
    2: "garnet",
    3: "pearl",
    4: "topaz",
    5: "sapphire",
    6: "amethyst",
    7: "onyx",
    8: "tourmaline",
    9: "lapis lazuli",
    10: "diamond",
    11: "turquoise",
    12: "jade",
    13: "citrine",
    14: "opal",
    15: "ruby",
    16: "peridot",
    19: "aquamarine",
    20: "emerald",
    25: "silver",
    30: "pearl",
    35: "emerald",
    40: "ruby",
    45: "sapphire",
    50: "gold",
    55: "alexandrite",
    60: "diamond",
}
_LONG_ENOUGH = 4
METALS = frozenset({"gold", "silver"})


def of_month(month: int) -> tuple[str, ...]:
    """Return the birthstones of a month."""
    return _OF_MONTHS[month]


def of_year(years: int) -> str:
    """Return what an anniversary is known for, empty for most."""
    return _OF_YEARS.get(years, "")


def words_for(name: str) -> tuple[str, ...]:
    """Return how catalogues in English, Spanish, French and German may call it, as keys."""
    return _ENGLISH_AND_OTHERS[name]


@lru_cache(maxsize=8192)
def is_called(name: str, key: str) -> bool:
    """Return whether a stone or metal in a catalogue is it: `blue sapphires` is sapphire, `orange` is not `or`."""
    parts = key.split()
    return any(
        word in key if " " in word else any(part == word or _begins(part, word) for part in parts)
        for word in words_for(name)
    )


def _begins(part: str, word: str) -> bool:
    return len(word) >= _LONG_ENOUGH and part.startswith(word)
