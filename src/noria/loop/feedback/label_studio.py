"""Reviews in Label Studio's JSON: tasks that go out, annotations that come back.

The form is that of labelstud.io/guide/task_format and /guide/predictions. Knows no files.
"""

import html
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, cast, get_args

from noria.corpus.ingest import storable
from noria.errors import UsageError
from noria.evaluate.readers.entries import Place, shown
from noria.loop.feedback.given import Given
from noria.loop.feedback.queue import Waiting
from noria.tune.data.personal import redacted
from noria.types import Item, Review, Verdict

VERDICT, CORRECT, INTENT, PASSAGES = "verdict", "correct", "intent", "passages"
LONGEST, NAME = 100_000, 200  # characters of a text, of a reviewer's name or an intent
LABELS = """<View>
  <Header value="Question"/>
  <Text name="history" value="$history"/>
  <Text name="question" value="$question"/>
  <TextArea name="intent" toName="question" maxSubmissions="1" rows="1"
            placeholder="What did they want, in a word or two?"/>
  <Header value="Answer"/>
  <Text name="answer" value="$answer"/>
  <Text name="said" value="$said"/>
  <Choices name="verdict" toName="answer" choice="single" required="true" showInline="true">
    <Choice value="right"/>
    <Choice value="wrong"/>
    <Choice value="unanswerable" hint="The documents do not answer the question"/>
  </Choices>
  <Header value="What it should have said, if it is wrong"/>
  <TextArea name="correct" toName="answer" maxSubmissions="1" editable="true" rows="4"/>
  <Header value="Passages that support the right answer"/>
  <Choices name="passages" toName="answer" choice="multiple" value="$options"/>
</View>
"""


def task(waiting: Waiting) -> dict[str, Any]:
    """An answer that waits, as a task; without personal data, for it leaves this machine.

    What the answer cites is predicted to support it: most often only the others must be changed.
    """
    given = waiting.given
    items = [waiting.found.seen[id] for id in given.read if id in waiting.found.seen]
    cited = [item.id for item in items if item.id in given.cited]
    result = [chosen(PASSAGES, cited)] if cited else []
    return {
        "data": {
            "answer_id": given.id,
            "tenant": given.tenant,
            "history": redacted("\n".join(given.history)),
            "question": redacted(given.question),
            "answer": redacted(given.text),
            "said": redacted("\n".join(said(waiting))),
            "why": ", ".join(waiting.why),
            "options": [option(item) for item in items],
        },
        "predictions": [
            {"model_version": given.release or "", "score": given.grounded, "result": result}
        ],
    }


def said(waiting: Waiting) -> Iterator[str]:
    """What was said of an answer, a line each; nobody is named."""
    for judged in waiting.said:
        value = {1.0: " up", -1.0: " down"}.get(judged.value or 0.0, "")
        yield f"{judged.kind}{value}{': ' + judged.text if judged.text else ''}"


def option(item: Item) -> dict[str, str]:
    """A passage to choose. Its text is shown as HTML, so that nothing in it is taken for some."""
    where = " > ".join((item.document or "", *item.headings))
    text = html.escape(redacted(item.text))
    return {"value": item.id, "html": f"<b>{html.escape(where)}</b><br/>{text}"}


def chosen(name: str, values: list[str]) -> dict[str, Any]:
    """A result that chooses ``values``."""
    return {
        "id": name,
        "from_name": name,
        "to_name": "answer",
        "type": "choices",
        "value": {"choices": values},
    }


def is_task(record: object) -> bool:
    """Whether a record is one of Label Studio's."""
    return isinstance(record, dict) and isinstance(record.get("data"), dict)


def reviews_of(
    record: Mapping[str, Any], answers: Mapping[str, Given], place: Place, now: datetime
) -> Iterator[Review]:
    """The reviews in a task that came back, each annotator's last one.

    Raises DataError for a task that is none of ours, or an annotation that cannot be read.
    """
    given = answers.get(str(record["data"].get("answer_id")))
    if given is None:
        raise place.wrong(
            f"no answer {shown(record['data'].get('answer_id'))} was given here; expected a task "
            "that 'noria feedback export' wrote"
        )
    annotations = record.get("annotations")
    if not isinstance(annotations, list):
        raise place.wrong('no "annotations"; export them as JSON, not as JSON-MIN')
    last: dict[str, Review] = {}
    for at, annotation in enumerate(annotations):
        try:
            if annotation.get("was_cancelled"):  # skipped: nothing was said
                continue
            review = review_of(annotation, given, now)
        except (UsageError, AttributeError, KeyError, TypeError, ValueError) as error:
            why = str(error) if isinstance(error, UsageError) else f"cannot be read ({error!r:.80})"
            raise place.wrong(f"annotations[{at}]: {why}") from None
        last[review.reviewer] = review
    yield from last.values()


def review_of(annotation: Mapping[str, Any], given: Given, now: datetime) -> Review:
    """The review that an annotation is; raises UsageError for one without a verdict."""
    told: dict[str, list[str]] = {}
    for result in annotation["result"]:
        value = result["value"]
        texts = value.get("choices", value.get("text", []))
        told[result["from_name"]] = [texts] if isinstance(texts, str) else list(map(str, texts))
    verdict = next(iter(told.get(VERDICT, [])), None)
    if verdict not in get_args(Verdict):
        told_instead = "no verdict" if verdict is None else f"the verdict {shown(verdict)}"
        raise UsageError(f"{told_instead}; expected {', '.join(get_args(Verdict))}")
    if unknown := set(told.get(PASSAGES, [])) - {*given.read, *given.cited}:
        raise UsageError(f"passage {min(unknown)!r:.60} is not among those that the answer read")
    when = annotation.get("updated_at") or annotation.get("created_at")
    return Review(
        answer=given.id,
        at=moment(when) if when else now,
        tenant=given.tenant,
        reviewer=who(annotation.get("completed_by")),
        verdict=cast(Verdict, verdict),
        text=written("\n".join(told.get(CORRECT, [])), LONGEST),
        intent=written(" ".join(told.get(INTENT, [])), NAME),
        passages=tuple(told.get(PASSAGES, [])),
    )


def moment(text: str) -> datetime:
    """A time as Label Studio writes it, with its zone."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text} has no zone")
    return at


def who(annotator: object) -> str:
    """The annotator's name: Label Studio gives a number, or what it knows of them."""
    if isinstance(annotator, dict):
        annotator = annotator.get("email") or annotator.get("id")
    return f"label-studio:{annotator}"[:NAME]


def written(text: str, longest: int) -> str | None:
    """A text that may be kept; None where nothing was written."""
    clean = text.strip()
    if len(clean) > longest or not storable(clean) or "\0" in clean:
        raise UsageError(f"expected UTF-8 without NUL, of at most {longest:,} characters")
    return clean or None
