# ruff: noqa: RUF001  (letters of other alphabets look like Latin ones)
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.errors import ConfigError
from noria.words import (
    LANGUAGES,
    LONGEST,
    SNOWBALL,
    UNKNOWN,
    analysed,
    asked,
    checked,
    coverage,
    detect,
    fingerprint,
    query_terms,
    spoken,
    stemmers,
    stop_words,
    terms,
    words,
)

# The same two sentences; none is taken from a data set.
SAID = {
    "ar": "ترفع الناعورة الماء من النهر إلى الحقول. وهي تدور ليلا ونهارا منذ مئات السنين.",
    "cs": "Vodní kolo zvedá vodu z řeky na pole. Otáčí se ve dne v noci už stovky let.",
    "da": "Vandhjulet løfter vand fra floden op til markerne. Det har drejet rundt dag og nat i "
    "mange hundrede år, og ingen ved, hvem der byggede det.",
    "de": "Das Schöpfrad hebt Wasser aus dem Fluss auf die Felder. Es dreht sich seit ewig.",
    "el": "Ο τροχός ανεβάζει νερό από το ποτάμι στα χωράφια. Γυρίζει μέρα νύχτα εδώ και αιώνες.",
    "en": "The wheel lifts water from the river to the fields. It has been turning for centuries.",
    "es": "La rueda sube el agua del río hasta los campos. Lleva siglos girando de día y de noche.",
    "fi": "Vesipyörä nostaa vettä joesta pelloille. Se on pyörinyt yötä päivää satoja vuosia.",
    "fr": "La roue monte l'eau de la rivière vers les champs. Elle tourne depuis des siècles.",
    "hu": "A vízkerék vizet emel a folyóból a földekre. Évszázadok óta forog éjjel és nappal.",
    "it": "La ruota solleva l'acqua dal fiume verso i campi. Gira da secoli, di giorno e di notte.",
    "ja": "水車は川から畑へ水をくみ上げる。何百年も昼も夜も回り続けている。",
    "ko": "물레방아는 강에서 밭으로 물을 끌어올린다. 수백 년 동안 밤낮으로 돌고 있다.",
    "nl": "Het waterrad tilt water uit de rivier naar de velden. Het draait al eeuwenlang.",
    "no": "Vannhjulet løfter vann fra elva opp til åkrene. Det har gått rundt dag og natt i flere "
    "hundre år, og ingen vet hvem som bygde det.",
    "pl": "Koło wodne podnosi wodę z rzeki na pola. Obraca się dniem i nocą od setek lat.",
    "pt": "A roda leva a água do rio até aos campos. Gira há séculos, de dia e de noite.",
    "ro": "Roata ridică apa din râu până pe câmpuri. Se învârte zi și noapte de secole.",
    "ru": "Колесо поднимает воду из реки на поля. Оно вращается днём и ночью уже сотни лет.",
    "sv": "Vattenhjulet lyfter vatten från ån upp till åkrarna. Det har snurrat i århundraden.",
    "th": "กังหันน้ำยกน้ำจากแม่น้ำขึ้นสู่ทุ่งนา มันหมุนทั้งวันทั้งคืนมาหลายร้อยปี",
    "tr": "Su çarkı nehirden tarlalara su taşır. Yüzyıllardır gece gündüz dönüyor.",
    "zh": "水车把河里的水提到田里。几百年来它日夜不停地转动。",
}


@pytest.mark.parametrize("language", SAID)
def test_two_sentences_tell_their_language(language) -> None:
    assert detect(SAID[language]) == language


def test_a_language_without_analyzer_is_unknown() -> None:
    croatian = "Vodeno kolo podiže vodu iz rijeke na polja. Okreće se danju i noću već stoljećima."
    assert detect(croatian) == UNKNOWN
    assert terms("Vodeno kolo", UNKNOWN) == ["vodeno", "kolo"]


@pytest.mark.parametrize("text", ["", "12 34\n56 78", "\x00\ud800", "x = 3; y = 7", "???"])
def test_a_text_that_does_not_tell(text) -> None:
    assert detect(text) == "en"
    assert detect(text, ["de"]) == "de"
    assert detect(text, ["fr", "de"]) in ("fr", "de")


def test_the_first_of_equals_counts() -> None:
    assert detect("12 34", ["fr", "de"]) == "fr"
    assert detect("12 34", ["de", "fr"]) == "de"


def test_only_languages_that_were_named_are_told() -> None:
    assert detect(SAID["no"], ["en", "da"]) == "da"  # the nearest
    assert detect(SAID["en"], ["de"]) == "de"


def test_a_long_document_is_told_by_samples() -> None:
    licence = "Permission is hereby granted to any person that obtains a copy. "
    assert detect(licence * 3 + SAID["de"] * 300) == "de"


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("", "en", []),
        ("The of and", "en", []),
        ("Wheels, wheel's WHEEL", "en", ["wheel", "wheel", "wheel"]),
        ("It's what it doesn’t lift; won't, can't", "en", ["lift"]),
        ("who won the cup", "en", ["won", "cup"]),
        ("version 2.13 of HTTP/2", "en", ["version", "2", "13", "http", "2"]),
        ("foo_bar dpkg-source x86_64", "en", ["foo", "bar", "dpkg", "sourc", "x86", "64"]),
        ("CVE-2024-1234, a@example.org", "en", ["cve", "2024", "1234", "exampl", "org"]),
        ("L'eau, c'est-à-dire l’été", "fr", ["eau", "dir"]),
        ("dell'acqua nell'anno", "it", ["acqua", "anno"]),
        ("Mühle Muehle mühlen MÜHLE", "de", ["muhl", "muhl", "muhl", "muhl"]),
        ("Wasser\u00admühle", "de", ["wassermuhl"]),  # a soft hyphen is not seen
        ("ﬁne ＦＵＬＬ", "xx", ["fine", "full"]),
        ("cafe\u0301 İzmir", "xx", ["cafe", "izmir"]),
        ("हिन्दी", "xx", ["हिन्दी"]),  # vowel signs do not cut a word
        ("물레방아는 물", "ko", ["물레", "레방", "방아", "아는", "물"]),
        ("東京タワー2024年", "en", ["東京", "京タ", "タワ", "ワー", "2024", "年"]),
        ("ｶﾀｶﾅ・データ", "ja", ["カタ", "タカ", "カナ", "デー", "ータ"]),
        ("กังหัน", "th", ["กั", "ัง", "งห", "หั", "ัน"]),
    ],
)
def test_terms(text, language, expected) -> None:
    assert terms(text, language) == expected


@pytest.mark.parametrize(
    ("language", "forms"),
    [
        ("cs", ["kniha", "knihy", "knihami"]),
        ("de", ["Haus", "Häuser", "Häusern", "Hauses", "haeuser"]),
        ("en", ["lift", "lifts", "lifted", "lifting"]),
        ("es", ["casa", "casas"]),
        ("fi", ["talo", "talossa", "talot"]),
        ("fr", ["roue", "roues"]),
        ("hu", ["város", "városok", "városban"]),
        ("nl", ["rivier", "rivieren"]),
        ("pl", ["dom", "domu", "domów"]),
        ("ru", ["река", "реки", "рекой"]),
        ("sv", ["hjul", "hjulet", "hjulen"]),
    ],
)
def test_inflected_words_have_one_term(language, forms) -> None:
    assert len({tuple(terms(form, language)) for form in forms}) == 1


def test_an_accent_may_be_left_out() -> None:
    assert terms("café", "fr") == terms("cafe", "fr")
    assert terms("Straße", "de") == terms("Strasse", "de")


def test_a_giant_word_is_cut_and_not_remembered() -> None:
    before = analysed.cache_info().currsize
    [cut] = terms("x" * 1_000_000, "xx")
    assert cut == "x" * LONGEST
    digest = "0123456789abcdef" * 8  # SHA-512
    assert terms(digest, "xx") == [digest]
    assert terms("水" * 1_000, "zh") == ["水水"] * 999
    assert analysed.cache_info().currsize <= before + 1


@pytest.mark.parametrize("language", SNOWBALL)
def test_every_language_named_has_a_stemmer(language) -> None:
    assert stemmers(language) is not None


def test_stop_words_belong_to_languages_that_have_a_stemmer_and_are_words() -> None:
    assert set(stop_words()) <= set(SNOWBALL)
    for language, listed in stop_words().items():
        assert len(listed) >= 40
        assert terms(" ".join(sorted(listed)), language) == []


def test_stop_words_do_not_take_what_people_search_for() -> None:
    for word in ("computer", "system", "research", "world", "fire", "work", "group"):
        assert terms(word, "en")


ANY = st.sampled_from([*sorted(LANGUAGES), UNKNOWN, "xx"])


@given(st.text(max_size=60), ANY)
def test_terms_have_no_white_space_and_repeat(text, language) -> None:
    found = terms(text, language)
    assert all(term == "".join(term.split()) != "" for term in found)
    assert terms(text, language) == found


@given(st.text(max_size=60), st.text(max_size=60), ANY)
def test_terms_of_lines_are_those_of_the_text(first, second, language) -> None:
    together = terms(f"{first} . {second}", language)
    assert together == terms(first, language) + terms(second, language)


@given(st.text(max_size=60), ANY)
def test_a_question_finds_the_document_that_it_repeats(text, language) -> None:
    found = terms(text, language)
    assert set(found) <= set(query_terms(text, [language]))
    assert set(found) in (set(), set(query_terms(text, [language])))


def test_terms_are_the_same_from_many_threads() -> None:
    text = " ".join(f"{start}{end}" for start in ("lift", "turn", "walk", "work", "paint")
                    for end in ("ing", "ed", "s", "er", "ings"))  # fmt: skip
    analysed.cache_clear()
    alone = terms(text, "en")
    analysed.cache_clear()
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda _: terms(text, "en"), range(64)))
    assert together == [alone] * 64


@pytest.mark.parametrize(
    ("text", "languages", "expected"),
    [
        ("What lifts the water?", ["en"], ["lifts", "water"]),
        ("What lifts the water?", ["de", "en", "fr"], ["lifts", "water"]),
        ("Wo steht die Mühle?", ["en", "de"], ["steht", "mühle"]),
        ("how do cells die", ["en", "de"], ["cells", "die"]),
        ("car insurance", ["en", "fr"], ["car", "insurance"]),  # "car" is French for "for"
        ("the wheel", ["en", "fr"], ["wheel"]),
        ("to be or not to be", ["en"], ["to", "be", "or", "not"]),
        ("물은 어디로", ["ko"], ["물은", "어디로"]),
        ("the wheel", [], ["the", "wheel"]),
        ("", ["en"], []),
    ],
)
def test_words_of_a_question_that_carry_meaning(text, languages, expected) -> None:
    assert asked(text, languages) == expected


def test_a_question_is_analysed_as_each_language_of_few() -> None:
    assert query_terms("Häuser", ["en", "de"]) == ["hauser", "haus"]
    assert query_terms("wheels wheels", ["en"]) == ["wheel"]
    assert query_terms("wheels", []) == ["wheels"]


def test_among_many_a_question_is_analysed_as_the_one_it_is_in() -> None:
    many = ["en", "fr", "it", "de"]
    assert query_terms("Wo sind die Häuser?", many) == ["haus", "hauser"]  # and as it stands
    assert set(query_terms("Häuser", many)) >= {"haus", "hauser"}  # it does not tell: as all


def test_the_language_that_is_spoken() -> None:
    assert spoken(SAID["de"]) == "de"
    assert spoken(SAID["de"], ["en", "fr"]) is None
    assert spoken("") is None
    assert spoken("the", ["en"]) is None


def test_languages_are_checked() -> None:
    assert checked(["de", "ko"]) == ("de", "ko")
    assert checked([]) == ()
    with pytest.raises(ConfigError, match="no analyzer for 'xx'"):
        checked(["de", "xx"])


def test_the_fingerprint_names_what_decides_the_terms() -> None:
    assert "snowball 3." in fingerprint()


def test_words_keep_their_order() -> None:
    assert words("b a b") == ["b", "a", "b"]


def test_coverage() -> None:
    assert coverage(set(), {"a"}) == 0
    assert coverage({"a"}, set()) == 0
    assert coverage(["a", "a", "b", "c"], ["a", "c", "d"]) == pytest.approx(2 / 3)
    assert coverage({"a"}, {"a"}) == 1
