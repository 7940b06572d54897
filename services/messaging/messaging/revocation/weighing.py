"""How likely the words of a text, taken together, ask for silence: for what no rule foresaw, and against what a rule
takes too far. Pure.

A logistic regression over words, pairs and pairs around a word, of the plain form. `weights.json` is what `learn` makes
of `tests/data/revocations.csv`; a test makes it again. Must not see the phrases that the whole is scored by.
"""

import json
import math
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from itertools import pairwise

_EPOCHS = 40
_RATE, _RATE_DECAY, _SHRINK = 0.3, 0.15, 1e-4
_LEAST_WEIGHT = 0.15  # what weighs less is left out of the file


@dataclass(frozen=True)
class Weights:
    """What each feature speaks for, and what a text without any is."""

    bias: float
    of: Mapping[str, float]

    def likelihood(self, sentences: Sequence[str]) -> float:
        """Return the likelihood, from 0 to 1, that a text asks for silence."""
        found = features(sentences)
        total = self.bias + sum(self.of.get(one, 0.0) for one in found) / math.sqrt(len(found) or 1)
        return 1 / (1 + math.exp(-total))

    def strongest(self, sentences: Sequence[str], most: int = 3) -> list[str]:
        """Return the words that speak most for it."""
        found = sorted(features(sentences), key=lambda one: -self.of.get(one, 0.0))
        return [one.strip("^$ ").replace(" * ", " … ") for one in found[:most] if self.of.get(one, 0.0) > 0]


def features(sentences: Iterable[str]) -> list[str]:
    """Return what a text in plain form consists of, each once, in an order that is always the same."""
    found: set[str] = set()
    for sentence in sentences:
        words = ["^", *sentence.split(), "$"]
        found.update(words)
        found.update(f"{one} {other}" for one, other in pairwise(words))
        found.update(f"{one} * {other}" for one, other in zip(words, words[2:], strict=False))
    return sorted(found)


def learn(texts: Sequence[tuple[Sequence[str], bool]]) -> Weights:
    """Return the weights that tell texts which ask for silence from others; the same texts give the same weights."""
    known = [(features(sentences), 1.0 if asks else 0.0) for sentences, asks in texts]
    order = random.Random(1)  # noqa: S311 - an order of texts, not a secret
    weights: dict[str, float] = {}
    bias = 0.0
    for epoch in range(_EPOCHS):
        order.shuffle(known)
        rate = _RATE / (1 + epoch * _RATE_DECAY)
        for found, asks in known:
            size = math.sqrt(len(found) or 1)
            total = bias + sum(weights.get(one, 0.0) for one in found) / size
            error = 1 / (1 + math.exp(-max(-30.0, min(30.0, total)))) - asks
            bias -= rate * error / 10
            for one in found:
                weights[one] = weights.get(one, 0.0) * (1 - rate * _SHRINK) - rate * error / size
    return Weights(
        round(bias, 3),
        {one: round(weight, 2) for one, weight in sorted(weights.items()) if abs(weight) >= _LEAST_WEIGHT},
    )


def document_of(weights: Weights) -> str:
    """Return weights as the file keeps them."""
    return json.dumps({"bias": weights.bias, "of": weights.of}, ensure_ascii=False, indent=0) + "\n"


def weights_of(document: str) -> Weights:
    """Return the weights that a file keeps."""
    stored = json.loads(document)
    return Weights(stored["bias"], stored["of"])


WEIGHTS = weights_of((resources.files(__package__) / "weights.json").read_text(encoding="utf-8"))
