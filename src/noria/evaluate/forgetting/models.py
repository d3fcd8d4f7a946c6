"""What the models behind arms forgot, against the base: for the report of a comparison.

What a model was once asked is remembered by its fingerprint: a second run asks nothing again, and
a larger one only what is new.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from noria.evaluate.arms.remember import Memory, key_of, spelled
from noria.evaluate.forgetting import asking
from noria.evaluate.forgetting.asking import PER_SET, Outcomes
from noria.evaluate.forgetting.changes import TEXT, abilities, changes, reading
from noria.evaluate.forgetting.suite import Suite
from noria.evaluate.results import Change, Forgetting, Forgotten, Interval
from noria.jobs import silent
from noria.protocols import Clock, Progress, Scorer
from noria.types import Likelihood, Prompt

MOST = 0.05  # nats a token of general text that a model may lose
BASE = "base"  # in the name of the file of what came of the base's questions


@dataclass(frozen=True, slots=True)
class Speaker:
    """A model that tells how likely a text is; ``make`` loads it, when something is to be asked."""

    fingerprint: str
    make: Callable[[], Scorer]


@dataclass(frozen=True, slots=True)
class General:
    """What is asked of the models behind arms, before and after.

    ``base``: the model before; ``speakers``: that of each arm. Of each set ``per_set`` questions
    are asked. ``memory``: what was asked before.
    """

    suite: Suite
    base: Speaker
    speakers: Mapping[str, Speaker]
    memory: Memory
    per_set: int = PER_SET


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of one model's questions; ``arms``: those that it writes for."""

    arms: tuple[str, ...]
    model: str
    outcomes: Outcomes

    @property
    def file(self) -> str:
        """The file of it in a report's folder."""
        name = self.arms[0] if self.arms else BASE
        return f"general.{quote(name, safe='+')}.jsonl"


def heard(general: General, clock: Clock, progress: Progress = silent) -> list[Heard]:
    """What came of the base's questions, and then of each other model's, each asked once.

    Others are asked what counts: the texts, and the sets on which the base beats chance.
    """
    tasks = asking.planned(general.suite, general.per_set)
    first = asked(general.base, tasks, general.memory, clock, progress)
    kept = counted(first)
    same, _ = asking.again(general.suite, first, kept)
    arms: dict[str, list[str]] = {}
    for arm, speaker in general.speakers.items():
        if speaker.fingerprint != general.base.fingerprint:
            arms.setdefault(speaker.fingerprint, []).append(arm)
    found = [Heard((), general.base.fingerprint, first)]
    for fingerprint, names in arms.items():
        speaker = general.speakers[names[0]]
        outcomes = asked(speaker, same, general.memory, clock, progress)
        found.append(Heard(tuple(names), fingerprint, outcomes))
    return found


def asked(
    speaker: Speaker, tasks: Sequence[asking.Task], memory: Memory, clock: Clock, tell: Progress
) -> Outcomes:
    """What came of ``tasks``; nothing that is remembered is asked."""
    return asking.ask(tasks, Recalling(speaker, memory), clock, progress=tell)


def counted(base: Outcomes) -> list[str]:
    """The sets on which the base beats chance: on others there is nothing to forget."""
    return [name for name, ability in abilities(base).items() if ability.beats_chance]


def forgetting(found: Sequence[Heard]) -> Forgetting:
    """What all models but the first, the base, forgot."""
    base, *others = found
    known, kept = abilities(base.outcomes), counted(base.outcomes)
    text = reading(base.outcomes.heard) if base.outcomes.heard else None
    return Forgetting(
        base.model,
        {n: Interval(known[n].accuracy, known[n].low, known[n].high, known[n].n) for n in kept},
        Interval(text.nats, text.low, text.high, text.documents) if text else None,
        tuple(name for name in known if name not in kept),
        tuple(forgotten(base, other, kept) for other in others),
        len(asking.all_of(base.outcomes)),
        base.outcomes.planned,
        base.file,
    )


def forgotten(base: Heard, other: Heard, kept: Sequence[str]) -> Forgotten:
    """What one model forgot, and whether that is little enough."""
    found = changes(base.outcomes, other.outcomes, kept)
    sets = {name: each for name, each in found.items() if name != TEXT}
    text = found.get(TEXT)
    passes, why = gate(sets, text)
    return Forgotten(other.arms, other.model, sets, text, passes, why, other.file)


def gate(sets: Mapping[str, Change], text: Change | None) -> tuple[bool | None, str]:
    """Whether a model lost little enough, and why.

    It may lose less than 0.05 nat a token of general text, and on no set more than chance explains.
    """
    wrong = [f"{name} is lower beyond chance" for name, each in sets.items() if each.worse]
    if text is not None and text.difference >= MOST:
        wrong.append(f"general text costs {text.difference:+.3f} nats a token, {MOST} at most")
    if wrong:
        return False, "; ".join(wrong)
    if text is None:
        return None, "no general text was read by both models, or they cut it into other tokens"
    least = f"less than {MOST} nats a token lost"
    return True, f"{least}, no set lower beyond chance" if sets else f"{least}; no set counted"


class Recalling:
    """A scorer that asks its model nothing twice, in this run or a later one."""

    def __init__(self, speaker: Speaker, memory: Memory) -> None:
        self._speaker, self._memory = speaker, memory
        self._scorer: Scorer | None = None

    def score(
        self,
        prompts: Sequence[Prompt],
        continuations: Sequence[str],
        done: Callable[[int, Likelihood], None] | None = None,
    ) -> list[Likelihood]:
        """The likelihoods, remembered as soon as they are known."""
        keys = [
            key_of("likelihood", self._speaker.fingerprint, spelled(prompt), text)
            for prompt, text in zip(prompts, continuations, strict=True)
        ]
        found: dict[int, Likelihood] = {}

        def told(place: int, likelihood: Likelihood) -> None:
            found[place] = likelihood
            if done:
                done(place, likelihood)

        waiting: dict[str, list[int]] = {}
        for place, key in enumerate(keys):
            if (value := self._memory.get(key)) is not None:
                told(place, Likelihood(*value))
            else:
                waiting.setdefault(key, []).append(place)
        if waiting:
            missing = [places[0] for places in waiting.values()]

            def known(at: int, likelihood: Likelihood) -> None:
                key = keys[missing[at]]
                self._memory.put(key, [likelihood.logprob, likelihood.tokens])
                for place in waiting[key]:
                    told(place, likelihood)

            self._scorer = self._scorer or self._speaker.make()
            self._scorer.score(
                [prompts[place] for place in missing], [continuations[p] for p in missing], known
            )
        return [found[place] for place in range(len(keys))]
