"""How positive or negative a headline reads, by a lexicon that needs no network."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from typing import Any

LIBRARY = "vaderSentiment"


@dataclass(frozen=True)
class Sentiment:
    """A score and what made it.

    Parameters
    ----------
    score : float
        VADER's compound score, from -1 (negative) to 1 (positive); 0 where no word of the lexicon occurs.
    library, version : str
        Which library, and which release of it: another one may score differently.
    """

    score: float
    library: str
    version: str


@lru_cache(maxsize=1)
def _analyzer() -> tuple[Any, str]:
    # Reading the lexicon takes a while: only who scores pays for it.
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    return SentimentIntensityAnalyzer(), version(LIBRARY)


def score(text: str) -> Sentiment:
    """Return the sentiment of a text.

    The score follows Hutto and Gilbert, "VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media
    Text" (2014).
    """
    analyzer, release = _analyzer()
    return Sentiment(float(analyzer.polarity_scores(text)["compound"]), LIBRARY, release)
