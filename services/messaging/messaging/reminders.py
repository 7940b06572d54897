"""Whether a reminder asks for an answer that is a carrier's keyword. Pure.

"Reply CANCEL to cancel" opts the client out of everything as soon as the client does as asked, and "YES to confirm"
opts in: the carrier does not know what the text was about. Words and verbs are data; a keyword in its own meaning
("Reply STOP to opt out", "HELP for help") is what it should be.
"""

import re
from collections.abc import Iterator

from messaging.keywords import Keyword, keyword_of, plain

# Asking for an answer, in the languages that templates are mostly written in; without accents, as `plain` writes.
_ASKING = frozenset(
    (
        *(
            "reply",
            "replying",
            "respond",
            "responding",
            "answer",
            "text",
            "texting",
            "send",
            "type",
            "write",
            "say",
        ),
        *(
            "responde",
            "responda",
            "responder",
            "contesta",
            "conteste",
            "envia",
            "envie",
            "escribe",
            "escriba",
        ),
        *("repondez", "reponds", "envoyez", "envoie", "ecrivez", "tapez"),
        *("antworten", "antworte", "antwort", "senden", "sende", "schreiben", "schreibe"),
        *("rispondi", "rispondere", "risponda", "invia", "scrivi"),
    )
)
# How many words may stand between the verb and the keyword, as in "reply with the word CANCEL".
_BETWEEN = 5
# "Reply C to cancel" names the purpose, not the answer; "reply to cancel" leaves the reader no other word.
_PURPOSE = frozenset(("to", "the", "a", "at", "pour", "para", "zu", "um", "per", "di"))
_NO_ANSWER = frozenset(("to", "us", "this", "text", "message", "back", "here"))
_WORD = re.compile(r"[^\W_]+", re.UNICODE)
_SENTENCE_END = re.compile(r"[.!?;\n]")
# What stands behind a keyword that is meant as the carrier means it.
_OWN_MEANING = re.compile(
    r"^\W*(to|for|and|pour|para|um|per)\W+(\w+\W+){0,2}?"
    r"(opt\W?out|unsubscribe|end (texts?|messages?)|stop (texts?|messages?|receiving|getting)|quit|help|info"
    r"|no more (texts?|messages?)|resubscribe|vous desabonner|desabonner|darse de baja|cancelar la suscripcion"
    r"|abmelden)",
    re.IGNORECASE,
)


def keywords_asked_for(body: str) -> list[str]:
    """Return the keywords that a reader of `body` is asked to answer with, as written, in their order."""
    found: list[str] = []
    for sentence in _sentences(body):
        words = list(_WORD.finditer(sentence))
        shouts = sentence.upper() == sentence
        for index, word in enumerate(words):
            for written, end in _candidates(sentence, words, index):
                if keyword_of(written) not in (Keyword.STOP, Keyword.START):
                    continue
                before = [plain(one[0]) for one in words[max(0, index - _BETWEEN - 1) : index]]
                is_asked = (
                    _asks(before)
                    or (written.isupper() and not shouts)
                    or _is_quoted(sentence, word.start(), end)
                )
                if is_asked and not _OWN_MEANING.match(_unaccented(sentence[end:])):
                    found.append(written)
                    break
    return list(dict.fromkeys(found))


def _asks(before: list[str]) -> bool:
    """Return whether the words ahead of a keyword ask for it as an answer."""
    verbs = [place for place, word in enumerate(before) if word in _ASKING]
    if not verbs:
        return False
    between = before[verbs[0] + 1 :]
    return not between or between[-1] not in _PURPOSE or all(word in _NO_ANSWER for word in between)


def _sentences(body: str) -> Iterator[str]:
    yield from (sentence for sentence in _SENTENCE_END.split(body) if sentence.strip())


def _candidates(sentence: str, words: list[re.Match[str]], index: int) -> Iterator[tuple[str, int]]:
    """Yield the word, and it with the next, each with where it ends: "opt out" is a keyword too."""
    first = words[index]
    if index + 1 < len(words):
        yield sentence[first.start() : words[index + 1].end()], words[index + 1].end()
    yield first[0], first.end()


def _is_quoted(sentence: str, start: int, end: int) -> bool:
    quotes = "\"'\u201c\u201d\u2018\u2019\u00ab\u00bb"
    before, behind = sentence[:start].rstrip(), sentence[end:].lstrip()
    return bool(before) and bool(behind) and before[-1] in quotes and behind[0] in quotes


def _unaccented(text: str) -> str:
    return " ".join(plain(part) for part in text.split())
