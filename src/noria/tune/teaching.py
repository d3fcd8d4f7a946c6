"""Teaches the query encoder of a configuration: from examples to a tower that serves.

Contrast needs examples that name their passage; the generator's likelihoods need only answers. The
passages are those that the encoder finds now: the nearest ones are the hardest negatives.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from noria.corpus.snapshot import Passage, Snapshot
from noria.errors import UsageError
from noria.evaluate.arms.respond import TALKING, holds
from noria.jobs import silent
from noria.models import towers
from noria.models.encode import sentence_transformer
from noria.protocols import Progress
from noria.tune import attention
from noria.tune.asked import Asked, Exam, QueryRecipe, Taught
from noria.tune.examples import Example
from noria.tune.likelihoods import Reading, likelihoods, opinions, temperature
from noria.tune.material import Material, sampled
from noria.tune.render import Renderer
from noria.tune.retriever import teach
from noria.tune.weights import quickest
from noria.tune.workshop import Workshop
from noria.types import Candidate, Query

Teacher = Literal["contrast", "likelihoods"]
DEPTH = 100  # passages that each leg finds for a question: what it is held against
LONGEST = 500  # characters of an answer: a longer one stands in no passage
READ = 8  # of these, those after which the generator is asked
CONSULTED = 200  # questions that the generator is asked at most: it reads READ passages for each
RECIPES = {
    "contrast": QueryRecipe(learning_rate=5e-5, epochs=3, temperature=0.05),
    "likelihoods": QueryRecipe(learning_rate=2e-5, epochs=3, temperature=0.05, direction="reverse"),
}


@dataclass(frozen=True)
class Met:
    """Passages that some question met, each a row, and where each question met which.

    ``near[i]``: rows nearest to question ``i`` by meaning; ``right[i]``: those with its answer.
    """

    examples: tuple[Example, ...]
    passages: tuple[Passage, ...]
    near: tuple[tuple[int, ...], ...]
    right: tuple[tuple[int, ...], ...]

    @property
    def vectors(self) -> "np.ndarray[tuple[int, int], np.dtype[np.float32]]":
        """One row a passage."""
        return np.array([passage.vector for passage in self.passages], dtype=np.float32)


def taught(
    material: Material,
    at: Workshop,
    teacher: Teacher,
    seed: int,
    folder: Path,
    progress: Progress = silent,
) -> Taught:
    """Teach a copy of the query encoder, and write it into ``folder``.

    Its best epoch is chosen by how high the held-out questions find their passage; none may be
    better than before. Raises UsageError where no question has a passage to find.
    """
    train, held_out = (searching(some, teacher) for some in (material.train, material.held_out))
    if teacher == "likelihoods":
        train = sampled(train, CONSULTED, seed)
    if not train or not held_out:
        raise UsageError(
            f"{len(train)} questions to learn from and {len(held_out)} held out are answered from "
            "passages; the retriever needs some of each"
        )
    snapshot = at.passages(material.texts).snapshot()
    met = meet((*train, *held_out), snapshot, at, progress)
    learnt, apart = range(len(train)), range(len(train), len(met.examples))
    asked = marked(met, learnt) if teacher == "contrast" else helped(met, learnt, at, progress)
    exam = Exam(marked(met, apart), met.vectors)
    if not asked or not exam.asked:
        raise UsageError(
            "no question finds a passage that is known to hold its answer; name documents, or give "
            "a context (docs/training-data.md)"
        )
    model = sentence_transformer(at.encoder_folder, at.device)
    recipe = replace(RECIPES[teacher], seed=seed)
    told = teach(model, asked, met.vectors, recipe, exam, progress)
    towers.save(model, folder, at.encoder.fingerprint)
    return told


def searching(examples: Sequence[Example], teacher: Teacher) -> tuple[Example, ...]:
    """Those whose answer stands in a passage: neither labels, nor chats, nor the unanswerable.

    The generator judges by the answer; for contrast the name of the right document is enough.
    """
    return tuple(
        each
        for each in examples
        if each.question.task in TALKING
        and not each.turns
        and not each.question.unanswerable
        and (each.response or (teacher == "contrast" and each.question.documents))
        and len(each.response) <= LONGEST
    )


def meet(examples: Sequence[Example], snapshot: Snapshot, at: Workshop, progress: Progress) -> Met:
    """What each question finds by meaning, and by words."""
    vectors = at.encoder.encode_queries([each.question.text for each in examples])
    near, both = [], []
    for place, (example, vector) in enumerate(zip(examples, vectors, strict=True)):
        query = Query(example.id, example.question.text)
        dense = snapshot.dense(vector, query, DEPTH).rows
        near.append(dense)
        both.append(np.union1d(dense, snapshot.lexical(query.text, query, DEPTH).rows))
        progress("finding passages", place + 1, len(examples))
    rows = np.unique(np.concatenate(both))
    passages = snapshot.passages(rows)
    places = [np.searchsorted(rows, found) for found in both]
    right = [
        tuple(int(row) for row in found if right_one(example, passages[row]))
        for example, found in zip(examples, places, strict=True)
    ]
    nearest = (tuple(map(int, np.searchsorted(rows, found))) for found in near)
    return Met(tuple(examples), passages, tuple(nearest), tuple(right))


def right_one(example: Example, passage: Passage) -> bool:
    """Whether a passage is known to hold the answer."""
    return holds(example.question, [Candidate(passage.item, 0.0)]) is True


def marked(met: Met, places: Sequence[int]) -> list[Asked]:
    """Questions with the passages that hold their answer, trusted alike."""
    return [
        Asked(met.examples[place].question.text, dict.fromkeys(right, 1 / len(right)))
        for place in places
        if (right := met.right[place])
    ]


def helped(met: Met, places: Sequence[int], at: Workshop, progress: Progress) -> list[Asked]:
    """Questions with the generator's trust in the passages nearest to each."""
    from noria.models.transformers import loaded

    tokenizer, model = loaded(at.folder)
    model = model.to(at.device)
    attention.use(model)
    near = [met.near[place][:READ] for place in places]
    readings = [
        Reading(
            met.examples[place].id,
            met.examples[place].question.text,
            met.examples[place].response,
            tuple(Candidate(met.passages[row].item, 0.0) for row in found),
        )
        for place, found in zip(places, near, strict=True)
    ]
    said = likelihoods(
        model,
        Renderer(tokenizer, at.longest),
        readings,
        lambda text: len(tokenizer(text, add_special_tokens=False)["input_ids"]),
        at.prompt_tokens,
        precision=quickest(at.device),
        progress=progress,
    )
    return opinions([each.question for each in readings], near, said, temperature(said))
