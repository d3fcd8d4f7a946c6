"""Every metric that applies to what an arm answered, by the tasks of its questions.

Takes records and nothing else, so that a report's numbers can be computed again from its files.
docs/metrics.md defines each name. Knows no arms, and nothing of chance.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from noria.evaluate.metrics import citations, confidence, diversity, labels, text, translation
from noria.evaluate.metrics.confidence import curve, threshold
from noria.evaluate.metrics.labels import LABELLED
from noria.evaluate.metrics.partial import Part, part, placed
from noria.evaluate.metrics.quality import answerable, known, primary, qualities, quality, wanted
from noria.evaluate.metrics.ranking import scores
from noria.evaluate.questions import READING
from noria.evaluate.records import Record
from noria.evaluate.statistics.intervals import Measure, mean_of

__all__ = ["LOWER", "PERCENT", "curve", "measures", "primary", "qualities", "threshold"]

LOWER = frozenset({"self_bleu", "risk", "aurc", "ece", "tokens", "seconds"})  # less is better
PERCENT = frozenset({"chrf", "bleu", "self_bleu"})  # 0 to 100, as sacrebleu gives them
WRITTEN = ("summarization", "chat")  # the tasks that ROUGE compares
NAMED = ("qa", *WRITTEN)  # the tasks whose names and numbers are compared
RETRIEVED = ("ndcg@10", "recall@10", "mrr@10", "map")


def measures(records: Sequence[Record]) -> dict[str, Measure]:
    """Every metric that applies to ``records``, by name; each takes counts over all of them.

    A metric has ``values`` where it is the mean of one number a record, and tells of how many
    records it is. A record with an error counts as wrong. An arm lacks a metric that none of its
    records has.
    """
    records = labels.with_choices(records)
    if not records:
        return {}
    return {
        **in_words(records),
        **in_labels(records),
        **in_translation(records),
        **in_variety(records),
        **citations.measures(records),
        **in_abstaining(records),
        **confidence.measures(records),
        **in_retrieval(records),
        **in_cost(records),
    }


def in_words(records: Sequence[Record]) -> dict[str, Measure]:
    """Exact match and F1 of questions, ROUGE of texts, and the F1 of names and numbers."""
    found: dict[str, Measure] = {}
    asked = part(records, lambda r: r.task == "qa" and known(r))
    if asked.records:
        found["em"] = asked.mean(exact)
        found["f1"] = asked.mean(quality)
    written = part(records, lambda r: r.task in WRITTEN and answerable(r))
    if written.records:
        found["rouge1"] = written.mean(lambda r: text.rouge(text.said(r), r.answers, 1))
        found["rouge2"] = written.mean(lambda r: text.rouge(text.said(r), r.answers, 2))
        found["rougeL"] = written.mean(lambda r: text.rouge_l(text.said(r), r.answers))
    named = part(records, lambda r: r.task in NAMED and answerable(r)
                 and any(map(text.entities, r.answers)))  # fmt: skip
    if named.records:
        found["entity_f1"] = named.mean(lambda r: text.entity_f1(text.said(r), r.answers))
    return found


def exact(record: Record) -> float:
    """1 if the answer is a right one, word by word; to an unanswerable question, if it is none."""
    return 0.0 if record.error is not None else text.exact(text.said(record), wanted(record))


def in_labels(records: Sequence[Record]) -> dict[str, Measure]:
    """Accuracy of labels and choices; macro-F1 where all are from the same labels."""
    labelled = part(records, lambda r: r.task in LABELLED and known(r))
    if not labelled.records:
        return {}
    found = {"accuracy": labelled.mean(labels.correct)}
    if len({frozenset(r.choices) for r in labelled.records}) == 1:
        golds = [labels.gold(r) for r in labelled.records]
        given = [labels.given(r) for r in labelled.records]
        found["macro_f1"] = labelled.lifted(labels.macro_f1(golds, given))
    return found


def in_translation(records: Sequence[Record]) -> dict[str, Measure]:
    """Both metrics of translations, over the whole set."""
    asked = part(records, lambda r: r.task == "translation" and answerable(r))
    if not asked.records:
        return {}
    said = [text.said(r) for r in asked.records]
    right = [r.answers for r in asked.records]
    return {
        "chrf": asked.lifted(translation.chrf(said, right)),
        "bleu": asked.lifted(translation.bleu(said, right)),
    }


def in_variety(records: Sequence[Record]) -> dict[str, Measure]:
    """Distinct-2 and self-BLEU of the chat answers that there are."""
    chat = part(records, lambda r: r.task == "chat")
    given = spoken(records, chat.places)
    found: dict[str, Measure] = {}
    answers = [r.answer for r in given.records]
    if any(len(text.tokens(answer)) > 1 for answer in answers):
        found["distinct2"] = given.lifted(diversity.distinct(answers))
    # of questions, not of answers: so that two arms are asked for the same ones
    some = spoken(records, chat.places[diversity.sampled(len(chat.places))])
    if len(some.records) > 1:
        found["self_bleu"] = some.lifted(diversity.self_bleu([r.answer for r in some.records]))
    return found


def spoken(records: Sequence[Record], places: NDArray[np.intp]) -> Part:
    """Those of the records at ``places`` that have an answer with words in it."""
    words = np.array([bool(text.tokens(text.said(records[at]))) for at in places], dtype=np.bool_)
    return placed(records, places[words])


def in_abstaining(records: Sequence[Record]) -> dict[str, Measure]:
    """Coverage, and risk of what was answered; a failure counts against the arm in both."""
    judged = part(records, known)
    if not judged.records:
        return {}
    found = {"coverage": judged.mean(lambda r: float(not r.abstained and r.error is None))}
    answered = part(records, lambda r: known(r) and (not r.abstained or r.error is not None))
    if answered.records:
        found["risk"] = answered.mean(lambda r: 1 - quality(r))
    return found


def in_retrieval(records: Sequence[Record]) -> dict[str, Measure]:
    """How well the documents were ranked that the prompt showed.

    The documents of an unanswerable question are those it was written for; none holds its answer.
    Other tasks are shown labelled examples, which nobody asked to be of the question's documents.
    """
    if not any(r.retrieved_documents for r in records if r.task in READING):
        return {}
    asked = part(records, lambda r: r.task in READING and bool(r.documents) and not r.unanswerable)
    if not asked.records:
        return {}
    judgements = {str(at): dict.fromkeys(r.documents, 1) for at, r in enumerate(asked.records)}
    # a document counts at its best passage
    rankings = {
        str(at): list(dict.fromkeys(r.retrieved_documents)) for at, r in enumerate(asked.records)
    }
    found = scores(judgements, rankings, RETRIEVED)
    return {name: asked.lifted(mean_of(values)) for name, values in found.items()}


def in_cost(records: Sequence[Record]) -> dict[str, Measure]:
    """What a question cost: tokens, read and written, and seconds."""
    everything = part(records, lambda _: True)
    return {
        "tokens": everything.mean(lambda r: float(r.prompt_tokens + r.completion_tokens)),
        "seconds": everything.mean(lambda r: r.seconds),
    }
