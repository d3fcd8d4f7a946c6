"""Words: which language a text is in, and the terms that a search compares.

One analysis serves the index, the questions and the grounding. A text is cut at whatever is
neither letter nor digit; stop words of its language are left out; the others are stemmed, and
accents folded after that, since stemmers need them. Scripts that put no spaces between words
become pairs of neighbouring characters, whatever the document's language. Knows no store.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from functools import cache, lru_cache
from importlib.metadata import version
from itertools import chain
from threading import Lock
from typing import Any

from noria.errors import ConfigError

VERSION = 2  # raise whenever the terms of a text change: indexes are then made anew
UNKNOWN = ""  # a language without analyzer: words as they are, no stop words
FALLBACK = "en"  # of texts that do not tell; code and tables are mostly in English words
SNOWBALL = {
    "ar": "arabic", "ca": "catalan", "cs": "czech", "da": "danish", "de": "german", "el": "greek",
    "en": "english", "eo": "esperanto", "es": "spanish", "et": "estonian", "eu": "basque",
    "fa": "persian", "fi": "finnish", "fr": "french", "ga": "irish", "hi": "hindi",
    "hu": "hungarian", "hy": "armenian", "id": "indonesian", "it": "italian", "lt": "lithuanian",
    "ne": "nepali", "nl": "dutch", "no": "norwegian", "pl": "polish", "pt": "portuguese",
    "ro": "romanian", "ru": "russian", "sr": "serbian", "sv": "swedish", "ta": "tamil",
    "tr": "turkish",
}  # fmt: skip
UNSPACED = {"ja", "km", "ko", "lo", "my", "th", "zh"}  # in pairs of characters; Korean has spaces
LANGUAGES = frozenset(SNOWBALL) | UNSPACED
SAME = {"nb": "no", "nn": "no", "wuu": "zh", "yue": "zh"}  # as the detector calls them
SAMPLE = 200  # characters read at the beginning, the middle and the end to tell the language
PLAIN_STOPS = 8  # different stop words that make English plain
CERTAIN = 0.3  # probability under which a text does not tell: 1 % of one-line texts are below
TELLING = 2  # stop words that tell a question's language; of one alone "car" would be French
FEW = 2  # languages up to which every question is analysed in all: that costs 0.002 of nDCG@10
LONGEST = 128  # characters of a term; a SHA-512 in hexadecimal fits, a line of base64 is cut

PAIRED = (  # Thai, Lao, Burmese, Hangul, Khmer, kana and Han; without their punctuation
    "\u0e01-\u0e3a\u0e40-\u0e4e\u0e50-\u0e59\u0e81-\u0edf\u1000-\u1049\u1050-\u109f\u1100-\u11ff"
    "\u1780-\u17d3\u17d7\u17dc-\u17ff\u3005-\u3007\u3041-\u309f\u30a1-\u30fa\u30fc-\u30ff"
    "\u3105-\u318e\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7ff\uf900-\ufaff"
    "\U0001b000-\U0001b16f\U00020000-\U0003ffff"
)
# Signs that belong to a word but are no letters to `re`: accents, points, vowels of Indic scripts.
SIGNS = (
    "\u0300-\u036f\u0483-\u0487\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670"
    "\u0900-\u0963\u0971-\u0dff"
)
LETTERS = rf"[^\W_{PAIRED}]+"
WORD = re.compile(rf"{LETTERS}(?:(?:'(?=[^\W_{PAIRED}])|[{SIGNS}]+)(?:{LETTERS})?)*|[{PAIRED}]+")
UNCOMMON = PAIRED[0]  # runs of characters from here on rarely repeat: they are not remembered
PAIRS = re.compile(f"[{PAIRED}]")
FOLDED = re.compile("[\u0300-\u036f\u0591-\u05c7\u064b-\u065f]")
ALIKE = str.maketrans({
    "\u00df": "ss", "\u00e6": "ae", "\u0153": "oe", "\u00f8": "o", "\u00f0": "d", "\u00fe": "th",
    "\u0111": "d", "\u0142": "l", "\u0131": "i", "\u0127": "h", "\u03c2": "\u03c3",
    "\u06cc": "\u064a", "\u06a9": "\u0643",
})  # fmt: skip
# Soft hyphens, joiners and direction marks are seen by nobody; apostrophes are written alike.
UNSEEN = {ord(c): None for c in "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\u0640"}
PLAIN = UNSEEN | {ord(c): "'" for c in "\u2019\u02bc\u2018"}
STEMMING = Lock()  # Snowball's stemmers keep the word they work on


def checked(languages: Sequence[str]) -> tuple[str, ...]:
    """``languages``, each of which has an analyzer; raise ConfigError otherwise.

    >>> checked(["en", "german"])
    Traceback (most recent call last):
    noria.errors.ConfigError: corpus.languages: no analyzer for 'german'; leave it out, or name \
some of: ar, ca, cs, da, de, el, en, eo, es, et, eu, fa, fi, fr, ga, hi, hu, hy, id, it, ja, km, \
ko, lo, lt, my, ne, nl, no, pl, pt, ro, ru, sr, sv, ta, th, tr, zh
    """
    for language in languages:
        if language not in LANGUAGES:
            raise ConfigError(
                f"corpus.languages: no analyzer for {language!r}; leave it out, or name some of: "
                f"{', '.join(sorted(LANGUAGES))}"
            )
    return tuple(languages)


def detect(text: str, among: Sequence[str] = ()) -> str:
    """The language of ``text`` by its code, one of ``among``, or of any that have an analyzer.

    A language that has none is ``UNKNOWN``. A text that does not tell (a table of numbers, a line
    of code) counts as the first of ``among``, or as English.

    >>> detect("Das Rad hebt Wasser aus dem Fluss."), detect("12 34"), detect("12 34", ["de", "fr"])
    ('de', 'en', 'de')
    """
    if len(among) == 1:
        return among[0]
    if (not among or FALLBACK in among) and plainly_english(sample(text)):
        return FALLBACK
    likely: dict[str, float] = {}
    for name, share in identifier().rank(sample(text)):
        language = SAME.get(name, name)
        likely[language] = likely.get(language, 0.0) + share
    if among:
        return max(among, key=lambda language: likely.get(language, 0.0))  # the first of equals
    best = max(likely, key=lambda language: likely[language])
    if likely[best] < CERTAIN:
        return FALLBACK
    return best if best in LANGUAGES else UNKNOWN


def plainly_english(text: str) -> bool:
    """Whether stop words alone tell: many English ones, and far fewer of any other language.

    Most documents are in English, and what tells languages apart takes a second to load. Other
    languages have neighbours without stop words here, for which they would be taken.
    """
    said = set(words(text))
    told = {each: sum(stops(word, each) for word in said) for each in stop_words()}
    english = told.pop("en")
    return english >= PLAIN_STOPS and english >= 2 * max(told.values())


def sample(text: str) -> str:
    """The beginning, the middle and the end, where ``text`` is long."""
    if len(text) <= 3 * SAMPLE:
        return text
    middle = (len(text) - SAMPLE) // 2
    return " ".join([text[:SAMPLE], text[middle : middle + SAMPLE], text[-SAMPLE:]])


def terms(text: str, language: str) -> list[str]:
    """What a search compares of ``text``, in its order, repeated as there. No term has a space.

    >>> terms("The wheels were lifting 20 buckets", "en")
    ['wheel', 'lift', '20', 'bucket']
    >>> terms("Die Schöpfräder", "de"), terms("the 물레방아", "en")
    (['schopfrad'], ['물레', '레방', '방아'])
    """
    found: list[str] = []
    for word in words(text):
        common = len(word) <= LONGEST and word[0] < UNCOMMON
        found += analysed(word, language) if common else analysed.__wrapped__(word, language)
    return found


def asked(text: str, languages: Sequence[str]) -> list[str]:
    """The words of a question that carry meaning, against documents in ``languages``.

    ``languages``: the most frequent one first. Only the stop words of one language go, the
    question's own: "die" means nothing in German, and much in English. A question of stop words
    alone is kept as it is.

    >>> asked("how do cells die", ["en", "de"]), asked("wo steht die Mühle", ["en", "de"])
    (['cells', 'die'], ['steht', 'mühle'])
    """
    said = list(dict.fromkeys(words(text)))
    language = spoken(text, languages) or next(iter(languages), UNKNOWN)
    meant = [part for word in said for part in parts(word, language)]
    return meant or [part for word in said for part in parts(word, UNKNOWN)]


def query_terms(text: str, languages: Sequence[str]) -> list[str]:
    """The distinct terms of a question, analysed as the documents in ``languages`` are.

    A question that tells its language is analysed in that one and in the most frequent one, and
    its words are looked for as they stand; any other in all: stems of many languages find what
    nobody asked for.

    >>> query_terms("Räder", ["en", "de"])
    ['rader', 'rad']
    """
    own = spoken(text, languages) if len(languages) > FEW else None
    among = languages if own is None else [own, languages[0], UNKNOWN]
    meant = asked(text, languages)
    return list(dict.fromkeys(term for each in among or [UNKNOWN] for term in stems(meant, each)))


def spoken(text: str, languages: Sequence[str] = ()) -> str | None:
    """The one of ``languages``, or of all, whose stop words are most among the words of ``text``.

    None where there are fewer than two, and the first of equals. Quicker than ``detect``, and good
    for a few sentences; it does not know the languages that have no stop words.

    >>> spoken("wo steht die Mühle"), spoken("car insurance")
    ('de', None)
    """
    said = {word for word in words(text) if len(word) <= LONGEST}
    told = Counter(chain.from_iterable(map(speaking, said)))
    best = max(languages or stop_words(), key=lambda each: told[each], default=None)
    return best if best is not None and told[best] >= TELLING else None


@lru_cache(maxsize=100_000)  # texts repeat their words
def speaking(word: str) -> tuple[str, ...]:
    """The languages in which ``word`` is a stop word."""
    return tuple(each for each in stop_words() if stops(word, each))


def stems(meant: Iterable[str], language: str) -> list[str]:
    """The terms of words that are known to carry meaning."""
    return [term for word in meant for term in stem(word, language)]


def coverage(wanted: Collection[str], found: Collection[str]) -> float:
    """Share of ``wanted``, each counted once, that is in ``found``; 0 where nothing is wanted.

    >>> coverage({"wheel", "tax"}, {"wheel", "water"})
    0.5
    """
    sought = set(wanted)
    return len(sought.intersection(found)) / len(sought) if sought else 0.0


def words(text: str) -> list[str]:
    """The words as they stand, in lower case; runs of characters where there are no spaces.

    >>> words("L'eau, dpkg-source; x86_64 2024년")
    ["l'eau", 'dpkg', 'source', 'x86', '64', '2024', '년']
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text).translate(PLAIN)
    found: list[str] = WORD.findall(text.lower())
    return found


@lru_cache(maxsize=100_000)  # texts repeat their words
def analysed(word: str, language: str) -> tuple[str, ...]:
    """The terms of one word; none of a stop word."""
    return tuple(stems(parts(word, language), language))


def parts(word: str, language: str) -> list[str]:
    """The pieces between apostrophes, without those that are stop words of ``language``."""
    if "'" not in word:
        return [] if stops(word, language) else [word]
    return [] if stops(word, language) else [p for p in word.split("'") if not stops(p, language)]


def stem(word: str, language: str) -> Iterable[str]:
    """The stem of one word, without accents; pairs of characters where there are no spaces."""
    if PAIRS.match(word):
        return [word[i : i + 2] for i in range(len(word) - 1)] or [word]
    word = word[:LONGEST]
    with STEMMING:
        stemmer = stemmers(language)
        stemmed = word if stemmer is None else stemmer.stemWord(word)
    return [folded(stemmed) or word]


def folded(word: str) -> str:
    """``word`` without accents, so that "cafe" finds "café".

    >>> folded("français"), folded("straße"), folded("हिन्दी")
    ('francais', 'strasse', 'हिन्दी')
    """
    if word.isascii():
        return word
    bare = FOLDED.sub("", unicodedata.normalize("NFD", word.translate(ALIKE)))
    return unicodedata.normalize("NFC", bare)


def stops(word: str, language: str) -> bool:
    """Whether ``word`` is a stop word; the Greek and Persian lists are written without accents."""
    listed = stop_words().get(language, frozenset())
    return word in listed or (language in ("el", "fa") and folded(word) in listed)


@cache
def stop_words() -> dict[str, frozenset[str]]:
    """Stop words by language; a language may have none."""
    import tomllib
    from importlib.resources import files

    text = (files("noria") / "stop_words.toml").read_text(encoding="utf-8")
    listed = tomllib.loads(unicodedata.normalize("NFKC", text))
    return {language: frozenset(names.split()) for language, names in listed.items()}


@cache
def stemmers(language: str) -> Any:
    """Snowball's stemmer for a language code; None where it has none."""
    import Stemmer

    name = SNOWBALL.get(language)
    return None if name is None else Stemmer.Stemmer(name, 0)  # 0: ``analysed`` keeps the words


@cache
def identifier() -> Any:
    """What tells languages apart; reading it takes most of a second, once."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


@cache
def fingerprint() -> str:
    """Everything that decides the terms of a text, for the recipe of an index."""
    import Stemmer

    return f"words {VERSION}, snowball {Stemmer.version()}, langid {version('py3langid')}"
