"""An arm, ready to be asked: from a question to a prompt, and from what was written to a record."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter

from noria.answer.answerer import REFUSAL, TURN_MARKS, Answerer, Asked, tidy
from noria.answer.prompt import SHOWN_TASK, build, harmless
from noria.errors import ModelError
from noria.evaluate.arms import prompts
from noria.evaluate.arms.arm import Arm
from noria.evaluate.arms.examples import Examples
from noria.evaluate.arms.remember import Remembering, RememberingScorer, Written
from noria.evaluate.questions import READING, Question
from noria.evaluate.recorded import says
from noria.evaluate.records import Cited, Record
from noria.funnel.funnel import Funnel
from noria.jobs import unheard
from noria.types import (
    Candidate,
    Chat,
    Completion,
    Item,
    Likelihood,
    Manner,
    Message,
    Prompt,
    Query,
    Sampling,
)

EXAMPLE_TOKENS = 400  # of a worked example at most: question and passage
TALKING = ("qa", "chat")  # tasks in which "I don't know" is no answer; elsewhere it may be one


@dataclass(frozen=True, slots=True)
class Shown:
    """What the model was shown: ids and documents of passages, or of labelled examples."""

    ids: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    found: bool | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A question as an arm puts it. ``prompt`` is None where nothing was found to read."""

    question: Question
    prompt: Prompt | None
    sampling: Sampling
    shown: Shown = field(default_factory=Shown)
    asked: Asked | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class Respondent:
    """Answers questions as ``arm`` says.

    ``funnel`` retrieves, or hands out the gold passage. ``scorer`` says how likely each choice is;
    only questions with choices need it. ``groups``: the reader's. ``manner``: how it reads.
    """

    arm: Arm
    answerer: Answerer
    funnel: Funnel
    writer: Remembering
    scorer: RememberingScorer | None
    examples: Examples
    groups: frozenset[str] = frozenset()
    manner: Manner = "together"

    def warm(self, questions: Sequence[Question]) -> None:
        """Embed what all arms of a run share, so that none of them is charged with it."""
        if self.arm.passages != "none":
            self.examples.embed(questions)

    def prepare(self, question: Question) -> Prepared:
        """Find what the arm may read, and put the prompt together."""
        started = perf_counter()
        if question.task in READING and self.arm.passages != "none":
            prepared = self._reading(question)
        else:
            prepared = self._alone(question)
        return replace(prepared, seconds=perf_counter() - started)

    def respond(self, prepared: Sequence[Prepared], tell: "Tell") -> list[Record]:
        """The records of prepared questions, in their order.

        ``tell`` hears how many have been answered, some of which may be asked again.
        """
        asked = dict(enumerate(prepared))
        written = {
            place: self._chosen(each)
            for place, each in asked.items()
            if each.question.task == "choice" and each.prompt is not None
        }
        waiting = [place for place in asked if place not in written and asked[place].prompt]
        while waiting:
            again = []
            for place, answer in self._written(asked, waiting, len(asked) - len(waiting), tell):
                written[place] = added(written.get(place), answer)
                following = self._following(asked[place], answer)
                if following:
                    asked[place] = following
                    again.append(place)
            waiting, tell = again, unheard
        return [self._record(each, written.get(place)) for place, each in asked.items()]

    def _written(
        self, asked: Mapping[int, Prepared], places: Sequence[int], settled: int, tell: "Tell"
    ) -> Iterator[tuple[int, Written]]:
        """What the model writes to the prompts at ``places``; those alike in sampling together."""
        for sampling, some in grouped(asked, places):
            prompts = [prompt for place in some if (prompt := asked[place].prompt) is not None]
            answers = self.writer.write(
                prompts,
                sampling,
                lambda count, before=settled: tell(before + count),  # type: ignore[misc]
            )
            settled += len(some)
            yield from zip(some, answers, strict=True)

    def _following(self, prepared: Prepared, written: Written) -> Prepared | None:
        """The same question with the next passage, where the arm reads one after another."""
        if prepared.asked is None or written.completion is None:
            return None
        answerer = self._reader(prepared.question)
        asked = answerer.following(prepared.asked, written.completion)
        if asked is None:
            return None
        following = self._put(prepared.question, asked, answerer)
        shown = joined(prepared.shown, following.shown)
        return replace(following, shown=shown, seconds=prepared.seconds)

    def _reading(self, question: Question) -> Prepared:
        """As ``noria ask`` reads, after the arm's worked examples."""
        answerer = self._reader(question)
        asked = answerer.prepare(Query(question.id, question.text, groups=self.groups))
        return self._put(question, asked, answerer)

    def _reader(self, question: Question) -> Answerer:
        """What reads for this arm."""
        return replace(
            self.answerer,
            funnel=self.funnel,
            llm=self.writer.llm,
            examples=self._worked(question),
            manner=self.manner,
        )

    def _put(self, question: Question, asked: Asked, answerer: Answerer) -> Prepared:
        """A question as it is put to the model, with what it is shown."""
        if asked.chat is None:
            return Prepared(question, None, answerer.sampling, Shown(found=False), asked)
        if question.task == "choice":  # what is searched for are not the choices
            text = f"{question.text}\n{prompts.options(question)}"
            asked = replace(asked, chat=with_question(asked.chat, question.text, text))
        found = holds(question, asked.shown)
        ids = tuple(c.item.id for c in asked.shown)
        documents = tuple(c.item.document or c.item.id for c in asked.shown)
        shown = Shown(ids, documents, found)
        return Prepared(question, asked.chat, answerer.sampling, shown, asked)

    def _worked(self, question: Question) -> Chat:
        """Turns that show how a question is answered from its passage."""
        turns: list[Message] = []
        for example in self.examples.fixed(question, self.arm.examples):
            candidate = gold(example)
            count = self.writer.llm.count
            shown = [candidate] if candidate else []
            chat, _ = build(example.text, shown, count, EXAMPLE_TOKENS, SHOWN_TASK)
            turns += [chat[-1], Message("assistant", harmless(example.answers[0]))]
        return tuple(turns)

    def _alone(self, question: Question) -> Prepared:
        """Closed book, or after labelled examples; the nearest where the arm retrieves."""
        fixed = self.examples.fixed(question, self.arm.examples)
        retrieves = self.arm.passages == "retrieved"
        nearest = self.examples.nearest(question) if retrieves else ()
        sampling = prompts.sampling(question.task, self.writer.llm.context // 4)
        room = self.writer.llm.context - sampling.max_tokens
        shown = (*(each for each in fixed if each not in nearest), *nearest)
        chat = prompts.chat(question, shown)
        while shown and self._tokens(chat) > room:  # the farthest stand first
            shown = shown[1:]
            chat = prompts.chat(question, shown)
        nearest = tuple(each for each in nearest if each in shown)
        seen = Shown()
        if retrieves:
            right = {answer.casefold() for answer in question.answers}
            found = any(each.answers[0].casefold() in right for each in nearest)
            ids = tuple(each.id for each in nearest)
            seen = Shown(ids, ids, found if question.task == "classification" else None)
        return Prepared(question, chat, sampling, seen)

    def _chosen(self, prepared: Prepared) -> Written:
        """The choice whose text is likeliest, by its mean log-probability a token."""
        if self.scorer is None or prepared.prompt is None:
            raise ValueError("questions with choices need a scorer")
        choices, prompt = prepared.question.choices, prepared.prompt
        try:
            likelihoods, seconds = self.scorer.score(prompt, choices)
        except ModelError as error:
            return Written(None, 0.0, str(error))
        return Written(likeliest(choices, likelihoods, self._tokens(prompt)), seconds)

    def _tokens(self, prompt: Prompt) -> int:
        """Tokens of a prompt, with the marks of its turns."""
        if isinstance(prompt, str):
            return self.writer.llm.count(prompt)
        return sum(self.writer.llm.count(turn.content) + TURN_MARKS for turn in prompt)

    def _record(self, prepared: Prepared, written: Written | None) -> Record:
        """What is written down of an answer."""
        question, shown = prepared.question, prepared.shown
        completion = written.completion if written else None
        started = perf_counter()
        draft = said(question, completion) if completion else ""
        record = Record(
            id=question.id,
            question=question.text,
            answers=question.answers,
            answer=draft,
            draft=draft,
            abstained=not draft or (question.task in TALKING and bool(REFUSAL.match(draft))),
            retrieved=shown.ids,
            slice=question.slice,
            error=written.error if written else None,
            prompt_tokens=completion.prompt_tokens if completion else 0,
            completion_tokens=completion.completion_tokens if completion else 0,
            task=question.task,
            documents=question.documents,
            retrieved_documents=shown.documents,
            found=shown.found,
            choices=question.choices,
            unanswerable=question.unanswerable,
            cut=completion is not None and completion.finish == "length",
        )
        if prepared.asked is not None and question.task != "choice" and not record.error:
            answer = self.answerer.finish(prepared.asked, completion)
            record = replace(
                record,
                answer=answer.text,
                citations=tuple(
                    Cited(c.item.id, c.item.document, c.start, c.end, c.quote, c.supports)
                    for c in answer.citations
                ),
                confidence=answer.confidence,
                grounded=answer.grounded,
                abstained=answer.abstained,
            )
        spent = prepared.seconds + (written.seconds if written else 0.0)
        return replace(record, seconds=spent + perf_counter() - started)


Tell = Callable[[int], None]


def joined(before: Shown, last: Shown) -> Shown:
    """What was shown in several turns."""
    known = [each for each in (before.found, last.found) if each is not None]
    return Shown(
        (*before.ids, *last.ids),
        (*before.documents, *last.documents),
        any(known) if known else None,
    )


def grouped(
    asked: Mapping[int, Prepared], places: Sequence[int]
) -> list[tuple[Sampling, list[int]]]:
    """The places, by how their prompts are to be written."""
    groups: dict[Sampling, list[int]] = {}
    for place in places:
        groups.setdefault(asked[place].sampling, []).append(place)
    return list(groups.items())


def added(before: Written | None, last: Written) -> Written:
    """The last of several answers to a question, at the cost of all."""
    if before is None or before.completion is None or last.completion is None:
        return last
    completion = replace(
        last.completion,
        prompt_tokens=before.completion.prompt_tokens + last.completion.prompt_tokens,
        completion_tokens=before.completion.completion_tokens + last.completion.completion_tokens,
    )
    return Written(completion, before.seconds + last.seconds, last.error)


def likeliest(
    choices: Sequence[str], likelihoods: Sequence[Likelihood], prompt_tokens: int = 0
) -> Completion:
    """The choice with the highest mean log-probability a token, as if it had been written.

    All choices were read to find it: their tokens are its cost.
    """
    choice, _ = max(zip(choices, likelihoods, strict=True), key=lambda pair: pair[1].per_token)
    read = sum(each.tokens for each in likelihoods)
    return Completion(choice, "stop", prompt_tokens, read)


def said(question: Question, completion: Completion) -> str:
    """What was written, freed of marks copied from the prompt where passages were in it."""
    return tidy(completion.text) if question.task in TALKING else completion.text.strip()


def gold(question: Question) -> Candidate | None:
    """The gold passage of a worked example, where it has one."""
    if question.context is None:
        return None
    document = question.documents[0] if question.documents else question.id
    return Candidate(Item(question.id, question.context, document), 1.0)


def holds(question: Question, shown: Sequence[Candidate]) -> bool | None:
    """Whether what is shown holds the answer, as far as that is known.

    A passage of a gold document that has one of the right answers in its text, where both are
    known; for a choice the document is enough, since "yes" need not stand in it.
    """
    named = bool(question.documents)
    spelled = bool(question.answers) and question.task == "qa"
    if question.unanswerable or not (named or spelled):
        return None
    return any(
        (not named or c.item.document in question.documents)
        and (not spelled or says(c.item.text, question.answers))
        for c in shown
    )


def with_question(chat: Chat, old: str, new: str) -> Chat:
    """The chat with another question at the end of its last turn."""
    last = chat[-1]
    head = last.content.removesuffix(harmless(old))
    return (*chat[:-1], Message(last.role, head + harmless(new)))
