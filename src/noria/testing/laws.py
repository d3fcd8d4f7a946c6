"""What every implementation of a seam must keep, whatever it does otherwise.

Knows the protocols and types only; judges by what goes in and what comes out.
"""

import json
import math
import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from noria.protocols import (
    LLM,
    Encoder,
    Filter,
    Orderer,
    Ranker,
    Retriever,
    Scorer,
    Splitter,
)
from noria.types import Candidate, Completion, Document, FieldValue, Item, Prompt, Query, Sampling

if TYPE_CHECKING:
    from noria.protocols import Matrix

# 1e-4: float32 sums differ by less than this in batches of another size, other vectors by more
TOLERANCE = 1e-4


def check_retriever(retriever: Retriever, query: Query, k: int) -> None:
    """At most ``k`` distinct items, best first, the same every time, all visible to ``query``."""
    found = retriever.retrieve(query, k)
    candidates = found.candidates
    require(len(candidates) <= k, f"asked for at most {k} candidates, got {len(candidates)}")
    require_distinct("the retriever found", candidates)
    for better, worse in pairwise(candidates):
        require(
            better.score >= worse.score,
            f"candidates must come best first, but {better.item.id} ({better.score}) stands before "
            f"{worse.item.id} ({worse.score})",
        )
    for candidate in candidates:
        require_visible(query, candidate.item)
    require(bool(found.version), "a retrieval names the version of the index that it read")
    again = retriever.retrieve(query, k)
    if again.version == found.version:
        require(
            ids(again.candidates) == ids(candidates),
            f"the same query of the same version found {ids(candidates)}, "
            f"then {ids(again.candidates)}; break ties, by id for example",
        )


def check_filter(filter: Filter, query: Query, candidates: Sequence[Candidate]) -> None:
    """Only drops, keeps the order, changes nothing; filtering twice is filtering once."""
    given = list(candidates)
    kept = filter.filter(query, given)
    require(given == list(candidates), "the filter changed the list that it was given")
    rest = iter(given)
    for candidate in kept:
        require(
            candidate in rest,
            f"the filter may only drop: {candidate.item.id} was changed, added or moved",
        )
    again = filter.filter(query, kept)
    require(
        ids(again) == ids(kept),
        f"filtering what was filtered dropped more: {ids(kept)}, then {ids(again)}",
    )


def check_ranker(ranker: Ranker, query: Query, candidates: Sequence[Candidate]) -> None:
    """The same items as before, none added, dropped or changed, in an order that repeats."""
    given = list(candidates)
    ranked = ranker.rank(query, given)
    require(given == list(candidates), "the ranker changed the list that it was given")
    before, after = Counter(ids(given)), Counter(ids(ranked))
    require(not before - after, f"the ranker dropped {sorted(before - after)}")
    require(not after - before, f"the ranker added {sorted(after - before)}")
    items = {c.item.id: c.item for c in given}
    changed = [c.item.id for c in ranked if c.item != items[c.item.id]]
    require(not changed, f"a ranker gives scores; it changed the items {changed}")
    again = ids(ranker.rank(query, given))
    require(again == ids(ranked), f"ranked as {ids(ranked)}, then as {again}")


def check_orderer(orderer: Orderer, query: Query, candidates: Sequence[Candidate], k: int) -> None:
    """At most ``k`` of what it was given, none twice, the same every time."""
    given = list(candidates)
    slate = orderer.order(query, given, k)
    require(given == list(candidates), "the orderer changed the list that it was given")
    require(len(slate) <= k, f"asked for at most {k} candidates, got {len(slate)}")
    require_distinct("the slate holds", slate)
    strangers = [c.item.id for c in slate if c not in given]
    require(not strangers, f"the orderer was not given {strangers}, or changed them")
    again = ids(orderer.order(query, given, k))
    require(again == ids(slate), f"ordered as {ids(slate)}, then as {again}")


def check_encoder(encoder: Encoder, texts: Sequence[str]) -> None:
    """Unit rows of float32, one a text whatever its neighbours, repeatably; counts that agree."""
    import numpy as np

    for name, encode in (
        ("encode_queries", encoder.encode_queries),
        ("encode_passages", encoder.encode_passages),
    ):
        rows = encode(texts)
        shape = (len(texts), encoder.dimension)
        require(rows.shape == shape, f"{name}: expected the shape {shape}, got {rows.shape}")
        require(rows.dtype == np.float32, f"{name}: expected float32, got {rows.dtype}")
        require(bool(np.isfinite(rows).all()), f"{name}: some numbers are not finite")
        lengths = np.linalg.norm(rows, axis=1)
        require(
            near(lengths, np.ones_like(lengths)),
            f"{name}: expected rows of length 1, got {lengths}",
        )
        require(near(encode(texts), rows), f"{name}: the same texts gave other vectors")
        alone = [encode([text])[0] for text in texts]
        require(
            all(near(one, row) for one, row in zip(alone, rows, strict=True)),
            f"{name}: a text's vector depends on the texts beside it",
        )
        require(encode([]).shape == (0, encoder.dimension), f"{name}: no texts must give no rows")
    for text in texts:
        tokens = encoder.count(text)
        require(tokens >= 0, f"count: {tokens} tokens in {text!r}")
        require(tokens == encoder.count(text), f"count: differs from call to call for {text!r}")
    require(encoder.max_tokens > 0, f"max_tokens: expected above 0, got {encoder.max_tokens}")
    require(bool(encoder.fingerprint), "fingerprint: expected a digest, got nothing")
    require(encoder.fingerprint == encoder.fingerprint, "fingerprint: differs from call to call")


def check_splitter(splitter: Splitter, document: Document) -> None:
    """Exact spans in reading order, none overlapping, with the document's groups and fields."""
    passages = splitter.split(document)
    for item in passages:
        here = f"passage {item.id} ({item.start} to {item.end})"
        require(bool(item.text), f"{here} is empty")
        require(
            document.text[item.start : item.end] == item.text,
            f"{here} is not the document's text at its span",
        )
        require(item.document == document.id, f"{here} names the document {item.document!r}")
        require(item.groups == document.groups, f"{here} lost the document's groups")
        require(dict(item.fields) == dict(document.fields), f"{here} lost the document's fields")
    for one, following in pairwise(passages):
        require(
            one.end <= following.start,
            f"passage {following.id} starts at {following.start}, before {one.id} ends ({one.end})",
        )
    repeated = twice(item.id for item in passages)
    require(not repeated, f"several passages have the id {repeated}")
    require(splitter.split(document) == passages, "the same document was cut in another way")
    require(bool(splitter.fingerprint), "fingerprint: expected a digest, got nothing")


def check_llm(llm: LLM, prompts: Sequence[Prompt], sampling: Sampling | None = None) -> None:
    """Greedy writing repeats; what is streamed is what a batch gives, in the prompts' order.

    A batch tells ``done`` each completion once, with its prompt's place, in the caller's thread.
    """
    greedy = sampling or Sampling(max_tokens=32)
    require(greedy.temperature == 0, "the law holds for greedy writing: temperature 0")
    alone = []
    for prompt in prompts:
        pieces, whole = streamed(llm, prompt, greedy)
        require(
            "".join(pieces) == whole.text, f"streamed {''.join(pieces)!r}, returned {whole.text!r}"
        )
        require(
            whole.completion_tokens <= greedy.max_tokens,
            f"asked for at most {greedy.max_tokens} tokens, got {whole.completion_tokens}",
        )
        alone.append(whole)
    for order in (list(range(len(prompts))), list(range(len(prompts)))[::-1]):
        batch = told(llm, [prompts[i] for i in order], greedy)
        require(len(batch) == len(order), f"{len(order)} prompts, {len(batch)} completions")
        for i, completion in zip(order, batch, strict=True):
            require(
                completion.text == alone[i].text,
                f"prompt {i}: streamed {alone[i].text!r}, in a batch {completion.text!r}",
            )
            require(
                completion.finish == alone[i].finish,
                f"prompt {i}: finished by {alone[i].finish!r}, in a batch {completion.finish!r}",
            )
    require(llm.batch([], greedy) == [], "no prompts must give no completions")
    require(bool(llm.fingerprint), "fingerprint: expected a digest, got nothing")
    require(llm.context > 0, f"context: expected above 0, got {llm.context}")
    require(llm.count("") >= 0, f"count: {llm.count('')} tokens in an empty text")


def check_scorer(scorer: Scorer, prompts: Sequence[Prompt], continuations: Sequence[str]) -> None:
    """One Likelihood a pair, of at least one token and never above 0, whatever the neighbours."""
    found = scorer.score(prompts, continuations)
    require(len(found) == len(prompts), f"{len(prompts)} pairs, {len(found)} likelihoods")
    for i, likelihood in enumerate(found):
        require(
            math.isfinite(likelihood.logprob) and likelihood.logprob <= 0,
            f"pair {i}: a log-probability is at most 0, got {likelihood.logprob}",
        )
        require(likelihood.tokens >= 1, f"pair {i}: {likelihood.tokens} tokens")
    for i, (prompt, continuation) in enumerate(zip(prompts, continuations, strict=True)):
        (alone,) = scorer.score([prompt], [continuation])
        require(
            alone.tokens == found[i].tokens
            and math.isclose(alone.logprob, found[i].logprob, rel_tol=1e-3, abs_tol=1e-3),
            f"pair {i}: {found[i]} among others, {alone} alone",
        )
    require(scorer.score([], []) == [], "no pairs must give no likelihoods")


def require(kept: bool, message: str) -> None:
    """Raise AssertionError with ``message`` unless the law was kept; ``python -O`` or not."""
    if not kept:
        raise AssertionError(message)


def told(llm: LLM, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:
    """A batch whose ``done`` heard each completion once, in this thread, with its place."""
    heard: dict[int, Completion] = {}
    threads: set[int] = set()

    def done(place: int, completion: Completion) -> None:
        require(place not in heard, f"done was told place {place} twice")
        heard[place] = completion
        threads.add(threading.get_ident())

    batch = llm.batch(prompts, sampling, done)
    expected = dict(enumerate(batch))
    require(
        heard == expected,
        f"done was told {heard}, the batch returned {expected}; tell each with its prompt's place",
    )
    require(threads <= {threading.get_ident()}, "done was called in another thread")
    return batch


def require_distinct(what: str, candidates: Sequence[Candidate]) -> None:
    """No item twice."""
    repeated = twice(ids(candidates))
    require(not repeated, f"{what} the same item more than once: {repeated}")


def require_visible(query: Query, item: Item) -> None:
    """The query's groups and fields admit ``item``."""
    public = not item.groups
    require(
        public or bool(item.groups & query.groups),
        f"{item.id} is for the groups {sorted(item.groups)}, the query has {sorted(query.groups)}",
    )
    for name, value in query.fields.items():
        require(
            name in item.fields and written(item.fields[name]) == written(value),
            f"{item.id}: the query wants {name} = {value!r}, its fields are {dict(item.fields)}",
        )


def written(value: FieldValue) -> str:
    """A field's value as it is compared: 2026 and "2026" are the same."""
    return value if isinstance(value, str) else json.dumps(value)


def ids(candidates: Sequence[Candidate]) -> list[str]:
    """The ids of the items."""
    return [candidate.item.id for candidate in candidates]


def twice(names: Iterable[str]) -> list[str]:
    """Those of ``names`` that occur more than once."""
    return sorted(name for name, n in Counter(names).items() if n > 1)


def near(one: "Matrix", other: "Matrix") -> bool:
    """Whether the numbers are the same but for rounding."""
    import numpy as np

    return one.shape == other.shape and bool(np.allclose(one, other, atol=TOLERANCE))


def streamed(llm: LLM, prompt: Prompt, sampling: Sampling) -> tuple[list[str], Completion]:
    """The pieces of one answer, and the completion that the generator returned."""
    pieces: list[str] = []
    stream = llm.stream(prompt, sampling)
    while True:
        try:
            pieces.append(next(stream))
        except StopIteration as end:
            whole: Completion = end.value
            return pieces, whole
