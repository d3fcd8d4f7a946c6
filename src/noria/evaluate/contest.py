"""A comparison from a file of questions to a folder with a report: what ``noria compare`` does."""

import hashlib
import resource
import sys
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from noria.errors import DataError, UsageError
from noria.evaluate import questions as reading
from noria.evaluate.arms.arm import Arm
from noria.evaluate.arms.remember import Remembering, RememberingScorer
from noria.evaluate.arms.respond import Respondent
from noria.evaluate.arms.run import Run, run
from noria.evaluate.compare import compare
from noria.evaluate.forgetting.models import General, forgetting, heard
from noria.evaluate.judge import judge as judge_pairs
from noria.evaluate.metrics.confidence import threshold
from noria.evaluate.metrics.text import normalized
from noria.evaluate.questions import READING, Question, Questions, Task
from noria.evaluate.records import Record
from noria.evaluate.report.report import write
from noria.evaluate.results import Comparison
from noria.evaluate.sample import by_importance
from noria.evaluate.statistics.folds import connected, folds
from noria.jobs import silent
from noria.models.wheels import without_credentials
from noria.protocols import Clock, Progress
from noria.types import Document

if TYPE_CHECKING:
    import numpy as np

FOLDS = 5


class Ready(Protocol):
    """Makes arms ready to be asked: the questions, their corpus, the worked examples and folds."""

    def __call__(
        self,
        arms: Sequence[Arm],
        questions: Sequence[Question],
        corpus: Sequence[Document],
        pool: Sequence[Question],
        folds: Mapping[str, int],
    ) -> list[Respondent]:
        """The arms, in their order."""
        ...


@dataclass(frozen=True, slots=True)
class Budget:
    """How much may be asked: a stratified sample of so many questions, so many seconds."""

    questions: int | None = None
    seconds: float | None = None


def contest(
    file: Path,
    arms: Sequence[Arm],
    ready: Ready,
    folder: Path,
    clock: Clock,
    examples: Path | None = None,
    ingested: bool = False,
    budget: Budget = Budget(),
    judge: Remembering | None = None,
    risk: float | None = None,
    seed: int = 0,
    about: Mapping[str, Any] = {},
    progress: Progress = silent,
    general: General | None = None,
) -> Comparison:
    """Ask the arms the questions of ``file``, compare them, and write the report into ``folder``.

    Worked examples come from the file ``examples``, or from other folds of the questions.
    ``risk``: fit each arm's confidence below which to abstain to this share of wrong answers.
    ``ingested``: read what was ingested even where the questions bring passages of their own.
    ``general``: measure also what the models behind the arms forgot.
    Raises DataError for a file without questions, UsageError where no arm can answer.
    """
    import numpy as np

    began = clock()
    read = reading.read(file)
    # by importance: wherever the time ends, what was asked is a stratified sample
    asked = tuple(islice(by_importance(read.asked, seed), budget.questions))
    prepared(folder)
    pool, placed, problems = worked(read, asked, examples, seed)
    able, left_out = those_able(arms, asked, pool)
    respondents = ready(able, asked, () if ingested else read.passages, pool, placed)
    done = run(asked, respondents, clock, budget.seconds, progress)
    problems += [*left_out, *shortcomings(done, able, len(asked))]
    measured = heard(general, clock, progress) if general else []
    told = {
        **about,
        **thresholds(done.records, risk, seed),
        **judged(judge, done.records, np.random.default_rng(seed), progress),
        "questions": file.name,
        "SHA-256 of the questions": digest_of(file),
        "asked": f"{len(asked) - done.unasked} of {len(read.asked)}",
        **{f"arm {each.name}": spelled(each) for each in able},
        "worked examples": examples.name if examples else f"from {FOLDS - 1} of {FOLDS} folds",
        "seed": seed,
        "seconds of this run": round(clock() - began, 1),
        "prompts asked anew": sum(asker.fresh for asker in askers(respondents, judge)),
        "peak memory, MB": round(peak_memory()),
    }
    comparison = compare(
        done.records,
        np.random.default_rng(seed),
        told,
        {arm.name: arm for arm in able},
        (*read.problems, *problems),
        forgetting(measured) if measured else None,
    )
    write(comparison, done.records, folder, {each.file: each.outcomes for each in measured})
    return comparison


def askers(
    respondents: Sequence[Respondent], judge: Remembering | None
) -> "set[Remembering | RememberingScorer]":
    """All that asks models; arms of one model share theirs."""
    every = {judge} | {each.writer for each in respondents} | {r.scorer for r in respondents}
    return {asker for asker in every if asker is not None}


def thresholds(
    records: Mapping[str, Sequence[Record]], risk: float | None, seed: int
) -> dict[str, Any]:
    """For each arm that tells a confidence: below which it must abstain to stay at ``risk``.

    Fitted on half of the questions, and measured on the others, which have other documents.
    """
    if risk is None:
        return {}
    found = {name: threshold(answered, risk, seed) for name, answered in records.items()}
    return {f"abstain below, {name}": asdict(fitted) for name, fitted in found.items() if fitted}


def judged(
    judge: Remembering | None,
    records: Mapping[str, Sequence[Record]],
    rng: "np.random.Generator",
    progress: Progress,
) -> dict[str, Any]:
    """What a model thinks of each arm against the first, where there is one that judges."""
    if judge is None:
        return {}
    first, *others = records
    return {
        f"judge: {first} against {other}": asdict(
            judge_pairs(
                judge, list(zip(records[first], records[other], strict=True)), rng, progress
            )
        )
        for other in others
    }


def kin(question: Question) -> set[str]:
    """What two questions must not share for one to be a worked example of the other.

    Documents, contexts, and the words of the question, whatever their case and punctuation.
    """
    shared = {f"document {each}" for each in question.documents}
    shared.add(f"text {normalized(question.text)}")
    if question.context:
        shared.add(f"context {normalized(question.context)}")
    return shared


def worked(
    read: Questions, asked: Sequence[Question], examples: Path | None, seed: int
) -> tuple[Sequence[Question], dict[str, int], list[str]]:
    """The pool of worked examples, the fold of each that is asked itself, and what is wrong.

    Those in a file of their own that are kin to a question are left out. Otherwise they are the
    questions, in folds: those that are kin are in one; where all are kin, there is no pool.
    """
    tasks = {question.task for question in asked}
    if examples is not None:
        given = reading.read(examples)
        taken = set[str]().union(*(kin(question) for question in asked))
        pool = [each for each in given.asked if taken.isdisjoint(kin(each))]
        problems = list(given.problems)
        if left_out := len(given.asked) - len(pool):
            problems.append(f"{left_out} worked examples are questions that are asked; left out")
        return usable(pool, tasks), {}, problems
    keys = [kin(question) for question in read.asked]
    parted = min(FOLDS, len(connected(keys)))
    if parted < 2:
        return (), {}, []
    placed = folds(keys, parted, seed)
    numbered = {q.id: fold for q, fold in zip(read.asked, placed, strict=True)}
    return usable(read.asked, tasks), numbered, []


def usable(pool: Sequence[Question], tasks: Collection[Task]) -> list[Question]:
    """Those that can be examples: answered ones of a task that is asked."""
    return [each for each in pool if each.task in tasks and each.answers and not each.unanswerable]


def those_able(
    arms: Sequence[Arm], asked: Sequence[Question], pool: Sequence[Question]
) -> tuple[list[Arm], list[str]]:
    """The arms that these questions can be asked, and why others cannot."""
    gold = any(q.task in READING and (q.context is not None or q.documents) for q in asked)
    labelled = any(q.task not in READING for q in asked)
    able, problems = [], []
    for arm in arms:
        if arm.passages == "gold" and not gold:
            problems.append(f"arm {arm.name!r} was left out: no question names its gold passage")
        elif not pool and (arm.examples or (labelled and arm.passages == "retrieved")):
            problems.append(
                f"arm {arm.name!r} was left out: there are no worked examples on other documents "
                f"than the questions'; give some with --examples"
            )
        else:
            able.append(arm)
    if not able:
        raise UsageError(f"no arm can answer: {'; '.join(problems)}")
    return able, problems


def shortcomings(run: Run, arms: Sequence[Arm], asked: int) -> list[str]:
    """What a reader of the figures must know of the run."""
    found = []
    if run.unasked:
        found.append(f"{run.unasked} of {asked} questions were not asked: time was up")
    for arm in arms:
        records = run.records[arm.name]
        reads = [record for record in records if record.task in READING]
        blind = sum(not record.retrieved for record in reads)
        if arm.passages == "gold" and blind:
            found.append(
                f"arm {arm.name!r}: {blind} of {len(reads)} questions had no gold passage to read, "
                f"since they name none, or a document that is not in the corpus; it abstained"
            )
        reasons = Counter(record.error for record in records if record.error)
        found += [f"arm {arm.name!r}: {n} questions failed: {why}" for why, n in reasons.items()]
    return found


def prepared(folder: Path) -> None:
    """Make the report's folder now, not after hours; raises UsageError where it cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--out {folder}: no folder can be made there: {error.strerror}") from None


def spelled(arm: Arm) -> str:
    """An arm's configuration, for people.

    >>> spelled(Arm("rag", "retrieved"))
    'passages retrieved, worked examples 0, generator of the settings'
    """
    generator = without_credentials(arm.generator) or "of the settings"
    released = f", release {arm.release}" if arm.release else ""
    return (
        f"passages {arm.passages}, worked examples {arm.examples}, generator {generator}{released}"
    )


def named(file: Path) -> str:
    """The name of a report's folder: the file's, and some of its digest."""
    if not file.exists():
        raise DataError("no such file; expected questions", file)
    return f"{file.stem}-{digest_of(file)[:8]}"


def digest_of(path: Path) -> str:
    """SHA-256 of a file, or of the names and contents of a folder's files."""
    digest = hashlib.sha256()
    for each in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if each.is_file():
            digest.update(each.relative_to(path.parent).as_posix().encode())
            digest.update(each.read_bytes())
    return digest.hexdigest()


def peak_memory() -> float:
    """The most memory that this process had, in MB."""
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes / (1e6 if sys.platform == "darwin" else 1e3)
