"""Data sets of what people said: read from the store, put on the shelf, and found again by whom.

A data set keeps the ids of the answers and judgements behind each example, and no names.
"""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from noria.loop.feedback.given import given_of
from noria.loop.feedback.harvest import Harvest, Kept, Policy
from noria.store.journal import ANSWER, Journal
from noria.store.registry import Registry
from noria.store.releases import made
from noria.store.reviews import Reviews
from noria.tune.data.read import read
from noria.tune.data.store import dataset, write
from noria.tune.examples import Example
from noria.types import Release

DATASET, HELD_OUT, SOURCES = "dataset", "held_out", "sources"  # parts of a data set's release


@dataclass(frozen=True, slots=True)
class Touched:
    """What holds something of a person's: data sets, and what was made of them."""

    datasets: tuple[Release, ...] = ()
    releases: tuple[Release, ...] = ()


def kept_in(journal: Journal, reviews: Reviews, tenants: Collection[str] = ()) -> Kept:
    """What was kept of answers; of some tenants, or of all."""

    def told(tenant: str) -> bool:
        return not tenants or tenant in tenants

    answers = {event.id: given_of(event) for event in journal.events(ANSWER) if told(event.tenant)}
    return Kept(
        answers,
        [judged for judged in journal.feedback() if told(judged.tenant)],
        [review for review in reviews if told(review.tenant)],
    )


def shelved(
    harvest: Harvest, registry: Registry, policy: Policy, home: Path, now: datetime
) -> Release:
    """Register the examples as a data set. The same examples from the same answers are the same."""
    home.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="dataset-", dir=home) as made_here:
        folder = Path(made_here)
        write(folder / DATASET, dataset(harvest.examples).examples)
        told = json.dumps({id: list(ids) for id, ids in harvest.sources.items()}, sort_keys=True)
        (folder / SOURCES).write_text(told, encoding="utf-8")
        parts = {name: registry.artifacts.put(folder / name) for name in (DATASET, SOURCES)}
    recipe = {
        "objective": "feedback",
        "origins": harvest.origins,
        "groups": sorted(policy.groups),
        "voices": policy.voices,
        "caps": asdict(policy.caps),
        "weights": dict(policy.weights),
    }
    return registry.add(made("dataset", parts, now, parts, recipe=recipe))


def held_out(registry: Registry) -> list[Example]:
    """What any release was judged by: the next one must not learn it before."""
    digests = {r.parts[HELD_OUT] for r in registry.list("dataset") if HELD_OUT in r.parts}
    return [each for digest in sorted(digests) for each in examples_in(registry, digest)]


def touched(registry: Registry, ids: Collection[str]) -> Touched:
    """The data sets in which answers or judgements with these ids are, and what was made of them.

    An example keeps its id when a model is tuned from a file of them, so that what was held out,
    and parts of a data set, are found as well.
    """
    sets = registry.list("dataset")
    examples = {
        example
        for release in sets
        for example, sources in sources_of(registry, release).items()
        if not set(sources).isdisjoint(ids)
    }
    found = [r for r in sets if not examples.isdisjoint(ids_of(registry, r))]
    names = {release.id for release in found}
    return Touched(
        tuple(found),
        tuple(
            release
            for release in registry.list()
            if release.id not in names
            and not names.isdisjoint(each.id for each in registry.lineage(release))
        ),
    )


def sources_of(registry: Registry, release: Release) -> Mapping[str, list[str]]:
    """Where the examples of a data set came from; nothing for one that was no harvest."""
    if SOURCES not in release.parts:
        return {}
    path = registry.artifacts.path(release.parts[SOURCES])
    found: Mapping[str, list[str]] = json.loads(path.read_text(encoding="utf-8"))
    return found


def ids_of(registry: Registry, release: Release) -> Iterator[str]:
    """The ids of a data set's examples, of those held out as well."""
    for name in (DATASET, HELD_OUT):
        if name in release.parts:
            found = examples_in(registry, release.parts[name])
            yield from (example.id.removeprefix("held out ") for example in found)


def examples_of(files: Iterable[Path], say: Callable[[str], object]) -> list[Example]:
    """The examples of some files; what is wrong is told to ``say``, and left out."""
    found: list[Example] = []
    for file in files:
        told = read(file, split="test")
        for problem in told.problems:
            say(problem)
        found += told.examples
    return found


def examples_in(registry: Registry, digest: str) -> tuple[Example, ...]:
    """The examples of a part; of an empty one none, as where nothing was held out."""
    path = registry.artifacts.path(digest)
    return read(path).examples if path.stat().st_size else ()
