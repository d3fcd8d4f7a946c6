import numpy as np
import pytest

from noria.evaluate.metrics.translation import bleu, chrf, sentence_chrf

SAID = ["Das Rad hebt Wasser .", "Es dreht sich", "", "Ein ganz anderer Satz hier.", "水車が回る"]
RIGHT = [
    ("Das Rad hebt das Wasser.", "Ein Rad hebt Wasser."), ("Es dreht sich.",),
    ("Es steht still.", "Nichts bewegt sich."), ("Ein Satz, der anders ist.",), ("水車が回る",),
]  # fmt: skip
NAMES = [("chrf", chrf), ("bleu", bleu)]


def sacre(name, said, right):
    import sacrebleu

    most = max(map(len, right))
    references = [[r[at] if at < len(r) else None for r in right] for at in range(most)]
    metric = {"chrf": sacrebleu.CHRF, "bleu": sacrebleu.BLEU}[name]()
    return metric.corpus_score(said, references).score


@pytest.mark.parametrize(("name", "measure"), NAMES)
def test_the_figure_is_that_of_sacrebleu(name, measure):
    (value,) = measure(SAID, RIGHT).figure(np.ones((1, len(SAID))))
    assert value == pytest.approx(sacre(name, SAID, RIGHT), abs=1e-9)
    assert 5 < value < 95


@pytest.mark.parametrize(("name", "measure"), NAMES)
def test_the_figure_of_a_draw_is_that_of_its_sentences(name, measure):
    rng = np.random.default_rng(3)
    draws = np.array([np.bincount(rng.integers(0, 5, 5), minlength=5) for _ in range(50)])
    values = measure(SAID, RIGHT).figure(draws.astype(float))
    for draw, value in zip(draws, values, strict=True):
        places = [at for at, count in enumerate(draw) for _ in range(count)]
        expected = sacre(name, [SAID[at] for at in places], [RIGHT[at] for at in places])
        assert value == pytest.approx(expected, abs=1e-9)


def test_nothing_said_is_worth_nothing():
    assert chrf(["", ""], [("a b",), ("c",)]).figure(np.ones((1, 2)))[0] == 0
    assert bleu(["", ""], [("a b",), ("c",)]).figure(np.ones((1, 2)))[0] == 0


def test_a_sentence_takes_its_best_reference():
    assert sentence_chrf("ein Rad", ["etwas anderes", "ein Rad"]) == pytest.approx(100)
