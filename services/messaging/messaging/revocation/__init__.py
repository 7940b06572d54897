"""Whether a client's text asks for silence: a keyword, a clear sentence, one that may be meant so, or neither. Pure.

Knows no ledger and decides nothing: whoever asks suspends a number or does not. Words that carriers give a meaning to
are those of `keywords`; everything else is data beside this module: `look_alikes`, `rules`, `ways` of speaking,
`stop_words`, `spellings`, and the weights of words for what none of them foresaw.
A text that can be read both ways MAYBE_REVOKES, for a person who looks at it costs less than a text to somebody who
asked for none.
"""

import enum
import re
from dataclasses import dataclass

from messaging.keywords import Keyword, keyword_of
from messaging.revocation import look_alikes, rules, stop_words, ways
from messaging.revocation.plain import plain_sentences
from messaging.revocation.weighing import WEIGHTS


class Wish(enum.StrEnum):
    """What a text asks for."""

    KEYWORD_STOP = "KEYWORD_STOP"
    KEYWORD_START = "KEYWORD_START"
    KEYWORD_HELP = "KEYWORD_HELP"
    REVOKES = "REVOKES"
    MAYBE_REVOKES = "MAYBE_REVOKES"
    NOTHING = "NOTHING"


@dataclass(frozen=True)
class Judgement:
    """What a text asks for, and why: the name of the rule and the words, in plain form, that it was found in."""

    wish: Wish
    rule: str = ""
    phrase: str = ""

    @property
    def asks_for_silence(self) -> bool:
        """Return whether the number must fall silent until a person has looked."""
        return self.wish in (Wish.REVOKES, Wish.MAYBE_REVOKES)

    @property
    def reason(self) -> str:
        """Return the reason in words."""
        return f"{self.rule}: “{self.phrase}”" if self.phrase else self.rule


_BY_KEYWORD = {
    Keyword.STOP: Judgement(Wish.KEYWORD_STOP, "the carriers' word alone", "stop"),
    Keyword.START: Judgement(Wish.KEYWORD_START, "the carriers' word alone", "start"),
    Keyword.HELP: Judgement(Wish.KEYWORD_HELP, "the carriers' word alone", "help"),
}
_NOTHING = Judgement(Wish.NOTHING, "no phrase that asks for silence")
_LONGEST = 1600  # characters that are looked at: all that a text can have
# Beyond these the words of a text, taken together, outweigh that no rule speaks, or that a doubtful one does. Chosen by
# tenfold cross-validation of the set that the rules were made with.
_LIKELY, _UNLIKELY = 0.85, 0.05
_WHOLE = 12  # words up to which a clause "stop" is taken for the point of a text

_LOOK_ALIKES = tuple((one, re.compile(one.pattern)) for one in look_alikes.LOOK_ALIKES)
_RULES = tuple((one, re.compile(one.pattern)) for one in (*rules.RULES, *ways.WAYS))
_DELIGHT = re.compile(stop_words.DELIGHT)
_SPEAKS_OF_TEXTS = re.compile(stop_words.SPEAKS_OF_TEXTS)
_WANTS_TEXTS = re.compile(stop_words.WANTS_TEXTS)
_REFUSES = re.compile(stop_words.REFUSES)
_CLAUSE = re.compile(r" , | but | and | pero | mais |, ")


def judge(body: str) -> Judgement:
    """Return what a text asks for, with the rule and the phrase that it was found by."""
    keyword = keyword_of(body)
    if keyword is not None:
        return _BY_KEYWORD[keyword]
    sentences = list(plain_sentences(body[:_LONGEST]))
    found: Judgement | None = None
    harmless: Judgement | None = None
    whole = " . ".join(sentences)
    is_delighted = bool(_DELIGHT.search(f"{whole} {body.casefold()}")) and not _SPEAKS_OF_TEXTS.search(whole)
    for sentence in sentences:
        rest, name, phrase = _without_look_alikes(sentence)
        if name and harmless is None:
            harmless = Judgement(Wish.NOTHING, name, phrase)
        judged = _by_rules(rest, is_delighted=is_delighted)
        if judged is None or (found is not None and found.wish is Wish.REVOKES):
            continue
        if found is None or judged.wish is Wish.REVOKES:
            found = judged
    if found is None:
        found = None if is_delighted else _bare_stop(sentences, body)
    if found is None or found.wish is Wish.MAYBE_REVOKES:
        likelihood = WEIGHTS.likelihood(sentences)
        if found is None:
            if harmless is None and likelihood > _LIKELY and _REFUSES.search(whole) and not is_delighted:
                words = ", ".join(WEIGHTS.strongest(sentences))
                return Judgement(Wish.MAYBE_REVOKES, "words that ask for it together", words)
            return harmless or _NOTHING
        if likelihood < _UNLIKELY:
            return Judgement(Wish.NOTHING, f"{found.rule}, among words of something else", found.phrase)
    if found.wish is Wish.REVOKES and _WANTS_TEXTS.search(whole):
        return Judgement(Wish.MAYBE_REVOKES, f"{found.rule}, but wants some texts", found.phrase)
    return found


def _without_look_alikes(sentence: str) -> tuple[str, str, str]:
    """Return the rest of a sentence, with the name and the words of the first harmless phrase in it."""
    name = phrase = ""
    for candidate, pattern in _LOOK_ALIKES:
        for match in reversed(list(pattern.finditer(sentence))):
            if candidate.about_texts or not _SPEAKS_OF_TEXTS.search(match.group()):
                name, phrase = name or candidate.name, phrase or match.group().strip(" ,")
                sentence = f"{sentence[: match.start()]} _ {sentence[match.end() :]}"
    return " ".join(sentence.split()), name, phrase


def _by_rules(sentence: str, *, is_delighted: bool) -> Judgement | None:
    maybe: Judgement | None = None
    for rule, pattern in _RULES:
        match = pattern.search(sentence)
        if match is None or (is_delighted and rule.name in stop_words.UNLESS_DELIGHTED):
            continue
        phrase = match.group().strip(" ,")
        if rule.is_clear:
            return Judgement(Wish.REVOKES, rule.name, phrase)
        maybe = maybe or Judgement(Wish.MAYBE_REVOKES, rule.name, phrase)
    return maybe


def _bare_stop(sentences: list[str], body: str) -> Judgement | None:
    """Judge texts in which a stop word stands for itself: all that is said, or a clause of its own."""
    words = [word for sentence in sentences for word in sentence.split() if word != ","]
    strong = [word for word in words if word in stop_words.STOP_WORDS]
    allowed = stop_words.STOP_WORDS | stop_words.WEAK_STOP_WORDS | stop_words.FILLERS
    if strong and all(word in allowed or word.isdigit() for word in words):
        is_sign_only = not any(character.isalnum() for character in body)
        wish = Wish.MAYBE_REVOKES if is_sign_only else Wish.REVOKES
        return Judgement(wish, "a stop word and courtesy", " ".join(words))
    weak = [word for word in words if word in stop_words.WEAK_STOP_WORDS]
    if weak and all(word in allowed for word in words):
        return Judgement(Wish.MAYBE_REVOKES, "a stop word and courtesy", " ".join(words))
    for sentence in sentences:
        for clause in _CLAUSE.split(sentence):
            mine = [word for word in clause.split() if word != ","]
            if any(word in stop_words.STOP_WORDS for word in mine) and all(word in allowed for word in mine):
                wish = Wish.REVOKES if len(words) <= _WHOLE else Wish.MAYBE_REVOKES
                return Judgement(wish, "a stop word that stands for itself", clause.strip(" ,"))
    return None
