"""The content words of a text: lower case, stemmed, without stop words. Knows no models."""

import re
from functools import lru_cache
from threading import Lock
from typing import Any

WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")
SNOWBALL = {
    "ar": "arabic", "da": "danish", "de": "german", "el": "greek", "en": "english",
    "es": "spanish", "fi": "finnish", "fr": "french", "hu": "hungarian", "it": "italian",
    "nl": "dutch", "no": "norwegian", "pt": "portuguese", "ro": "romanian", "ru": "russian",
    "sv": "swedish", "ta": "tamil", "tr": "turkish",
}  # fmt: skip
STEMMING = Lock()  # Snowball's stemmers keep the word they work on
# English only: in other languages a stop word counts like any other word.
STOP_WORDS = frozenset(
    WORD.findall(
        "a about all also am an and any are as at be because been being both but by can could did "
        "do does doing done each either else even ever every few for from get gets give given had "
        "has have having he her here hers him his how i if in into is it its just like many may me "
        "might more most much must my neither no nor not now of off on once one only or other our "
        "ours out over own please same shall she should since so some such than that the their "
        "theirs them then there these they this those through to too under until up upon us very "
        "was we were what when where whether which while who whom whose why will with within "
        "without would yes you your yours it's that's what's don't doesn't isn't"
    )
)


def content_words(text: str, language: str = "en") -> list[str]:
    """The stems of ``text`` that carry meaning, in order; numbers are kept as they are.

    >>> content_words("The wheels were lifting 20 buckets")
    ['wheel', 'lift', '20', 'bucket']
    """
    words = [w.replace("\u2019", "'") for w in WORD.findall(text.lower())]
    kept = [w.removesuffix("'s") for w in words if w not in STOP_WORDS]
    return [stem(word, language) for word in kept]


def coverage(wanted: set[str], found: set[str]) -> float:
    """Share of ``wanted`` that is in ``found``; 0 where nothing is wanted.

    >>> coverage({"wheel", "tax"}, {"wheel", "water"})
    0.5
    """
    return len(wanted & found) / len(wanted) if wanted else 0.0


@lru_cache(maxsize=100_000)  # the stemmer is slow, and texts repeat their words
def stem(word: str, language: str) -> str:
    """The stem of one word; the word itself in a language without a stemmer."""
    with STEMMING:
        stemmer = stemmers(language)
        return word if stemmer is None else str(stemmer.stemWord(word))


@lru_cache(maxsize=8)
def stemmers(language: str) -> Any:
    """Snowball's stemmer for a language code; None where it has none."""
    import snowballstemmer

    name = SNOWBALL.get(language)
    return None if name is None else snowballstemmer.stemmer(name)
