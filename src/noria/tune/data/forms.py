"""Makes an example of a record, in whichever of the usual forms it is. Knows no files.

A record is an object as a line of JSON Lines holds it. ``docs/training-data.md`` has the forms.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import cast, get_args

from noria.evaluate.readers.entries import Place, question_of, shown, text_of, texts, written
from noria.tune.examples import Example, Origin
from noria.types import Chat, Message, Role

ROLES: dict[str, Role] = {
    "system": "system", "user": "user", "assistant": "assistant",
    "developer": "system",  # as OpenAI calls it now
    "human": "user", "gpt": "assistant",  # as ShareGPT calls them
}  # fmt: skip
RESPONSE = ("response", "completion", "output", "answer")
SUMMARIZED = ("dialogue", "article", "document", "text")
SUMMARY = ("summary", "highlights")
LABEL = ("label", "category", "intent")
# what a question may say of itself, whatever the form
OF_QUESTION = ("documents", "document", "context", "choices", "slice", "unanswerable", "task")
WORDED = ("documents", "document", "context", "choices", "unanswerable", "task")
TRANSCRIPT = re.compile(r"\n\n(Human|Assistant):")
Tell = Callable[[str], None]
Record = Mapping[str, object]


def example_of(value: object, place: Place, number: int, tell: Tell) -> Example:
    """The example of a record; ``number`` is its id if it has none.

    ``tell`` hears of what was left out of an example that is kept. Raises DataError for anything
    that is no example.
    """
    if not isinstance(value, dict):
        raise place.wrong(f"expected an object, got {shown(value)}")
    record: Record = {**value, "id": str(number)} if value.get("id") is None else value
    if "messages" in record or "conversations" in record:
        return of_chat(record, place, tell)
    if "turns" in record or "question" in record or "query" in record:
        return of_question(record, place)
    if "prompt" in record or "instruction" in record:
        return of_prompt(record, place, tell)
    if "chosen" in record and "rejected" in record:
        return of_transcripts(record, place)
    if text := first(record, SUMMARIZED) if first(record, SUMMARY) else "":
        return of_summary(record, text, place)
    if "text" in record and first(record, LABEL):
        return of_question(record, place)
    if "input" in record and "output" in record:
        return of_prompt({**record, "prompt": record["input"], "input": None}, place, tell)
    if "context" in record and "answer" in record:  # as the suites of llm-foundry have it
        return of_prompt({**record, "prompt": record["context"], "context": None}, place, tell)
    keys = ", ".join(f"{key!r:.40}" for key in list(value)[:10])
    raise place.wrong(
        'expected "messages", "prompt" and "response", "question", or another form of '
        f"docs/training-data.md, got the keys {keys or 'of nothing'}"
    )


def of_chat(record: Record, place: Place, tell: Tell) -> Example:
    """A chat, whose last answer is the response, or which a chosen and a rejected one follow."""
    key = "messages" if "messages" in record else "conversations"
    turns = [*system(record, place), *turns_of(record[key], key, place)]
    if "chosen" in record or "rejected" in record:
        return of_pair(record, tuple(turns), place)
    if record.get("tools") not in (None, "", "[]", []):
        tell('"tools" are left out: no template is told of them here')
    answers = [at for at, turn in enumerate(turns) if turn.role == "assistant"]
    if not answers:
        raise place.wrong(f'no turn of the assistant in "{key}", so there is nothing to learn')
    last = answers[-1]
    if after := len(turns) - 1 - last:
        tell(f"{after} {'turns' if after > 1 else 'turn'} after the last answer left out")
    return judged(record, tuple(turns[:last]), turns[last].content, place)


def of_prompt(record: Record, place: Place, tell: Tell) -> Example:
    """A prompt with a response, a pair of them, a ranking, or a label."""
    before = prompt_of(record, place)
    if "chosen" in record or "rejected" in record:
        return of_pair(record, before, place)
    if "responses" in record:
        best, *others = ranked(record, place)
        return built(record, before, best, place, tuple(others))
    key = first(record, RESPONSE)
    if not key and isinstance(record.get("label"), str):
        text = before[-1].content
        return of_question({**record, "question": text, "task": "classification"}, place)
    if not key:
        raise place.wrong(
            'a prompt without "response"; expected that, "chosen" and "rejected", or "responses"'
        )
    return judged(record, before, reply(record, key, place), place)


def of_pair(record: Record, before: Chat, place: Place) -> Example:
    """A response that was chosen, and one or several that were not."""
    chosen = reply(record, "chosen", place)
    value = record.get("rejected")
    listed = isinstance(value, list) and all(isinstance(each, str) for each in value)
    rejected = (
        texts(record, "rejected", place) if listed else (reply(record, "rejected", place),)
    )  # fmt: skip
    if chosen in rejected:
        raise place.wrong("the same text is chosen and rejected")
    return built(record, before, chosen, place, rejected)


def of_transcripts(record: Record, place: Place) -> Example:
    """A chosen and a rejected chat that part at the last answer."""
    chosen, rejected = (transcript(record[key], key, place) for key in ("chosen", "rejected"))
    before = tuple(chosen[:-1])
    if before != tuple(rejected[:-1]):
        raise place.wrong("the two chats differ before their last answer; expected one prompt")
    pair = {"chosen": chosen[-1].content, "rejected": rejected[-1].content}
    return of_pair({**record, **pair}, before, place)


def of_summary(record: Record, key: str, place: Place) -> Example:
    """A text and its summary."""
    summary = text_of(record, first(record, SUMMARY), place)
    kept = {name: record[name] for name in ("id", "slice", "choices") if name in record}
    entry = {**kept, "question": record[key], "answers": [summary], "task": "summarization"}
    return adorned(entry, record, place, summary)


def of_question(record: Record, place: Place) -> Example:
    """A question as ``docs/questions.md`` has it; the first answer is the response."""
    asked = next((key for key in ("question", "query", "text") if key in record), "question")
    entry = {**record, "question": record.get(asked), **hugged(record)}
    label = "" if any(key in record for key in (*RESPONSE, "answers")) else first(record, LABEL)
    if label:
        entry = {"task": "classification", **entry, "answers": [text_or_number(record[label])]}
    question = question_of(entry, place)
    turns = tuple(turns_of(record["turns"], "turns", place)) if record.get("turns") else ()
    key = first(record, RESPONSE[:3]) or "response"  # the fourth, "answer", is the question's own
    response = record.get(key)
    if response not in (None, ""):
        response = text_of(record, key, place)
        if not question.unanswerable and "answers" not in entry and "answer" not in entry:
            question = question_of({**entry, "answers": [response]}, place)
    wrong = record.get("rejected")
    rejected = texts({"rejected": [wrong] if isinstance(wrong, str) else wrong}, "rejected", place)
    if response is None:
        response = question.answers[0] if question.answers else ""
    return Example(
        question, response, turns, rejected, intent_of(record, place, label),
        origin_of(record, place), weight_of(record, place),
    )  # fmt: skip


def hugged(record: Record) -> Record:
    """What a line of SQuAD says as Hugging Face has it: ``answers`` with ``text``, a ``title``."""
    answers = record.get("answers")
    if not isinstance(answers, dict) or not isinstance(answers.get("text"), list):
        return {}
    title = record.get("title")
    slice = {"slice": {"article": title}} if title and "slice" not in record else {}
    return {"answers": answers["text"], "unanswerable": not answers["text"], **slice}


def judged(record: Record, before: Chat, response: str, place: Place) -> Example:
    """A response that people liked, unless its label says that they did not.

    Then it is a rejected one, and nothing is known of a better one: the response stays empty.
    """
    label = record.get("label")
    if label is None:
        return built(record, before, response, place)
    if not isinstance(label, bool | int) or label not in (0, 1):
        raise place.wrong(f'expected true or false as "label", got {shown(label)}')
    return built(record, before, *((response, place) if label else ("", place, (response,))))


def built(
    record: Record, before: Chat, response: str, place: Place, rejected: tuple[str, ...] = ()
) -> Example:
    """The example of what was said before a response.

    A lone prompt with a context, documents or a task of its own is a question, for which the
    objective finds the words; any other is a chat, word for word.
    """
    if not before:
        raise place.wrong("nothing stands before the response; expected a turn of the user")
    entry = {key: record[key] for key in ("id", *OF_QUESTION) if record.get(key) is not None}
    lone = len(before) == 1 and before[0].role == "user"
    worded = lone and any(entry.get(key) for key in WORDED)
    entry["question"] = before[-1].content
    if response and not entry.get("unanswerable"):
        entry["answers"] = [response]
    if not worded:
        entry = {**entry, "task": "chat"}
    return adorned(entry, record, place, response, () if worded else before, rejected)


def adorned(
    entry: Record,
    record: Record,
    place: Place,
    response: str,
    turns: Chat = (),
    rejected: tuple[str, ...] = (),
) -> Example:
    """The example of a question's entry, with what else the record says."""
    return Example(
        question_of(entry, place), response, turns, rejected, intent_of(record, place),
        origin_of(record, place), weight_of(record, place),
    )  # fmt: skip


def prompt_of(record: Record, place: Place) -> Chat:
    """What stands before the response: a text, one with an input, or turns."""
    key = "prompt" if "prompt" in record else "instruction"
    value = record[key]
    if isinstance(value, list):
        return (*system(record, place), *turns_of(value, key, place))
    text = text_of(record, key, place)
    if record.get("input") not in (None, ""):
        text = f"{text}\n\n{text_of(record, 'input', place)}"
    return (*system(record, place), *history(record, place), Message("user", text))


def system(record: Record, place: Place) -> Chat:
    """The system's turn, if one stands beside the prompt."""
    if record.get("system") in (None, ""):
        return ()
    return (Message("system", text_of(record, "system", place)),)


def history(record: Record, place: Place) -> Chat:
    """Earlier questions and answers, in pairs."""
    pairs = record.get("history") or []
    found: list[Message] = []
    for at, pair in enumerate(pairs if isinstance(pairs, list) else [pairs]):
        if not isinstance(pair, list) or [type(each) for each in pair] != [str, str]:
            raise place.wrong(f'expected pairs of texts as "history", got {shown(pair)} at {at}')
        asked, answered = (written(each, "history", place) for each in pair)
        found += [Message("user", asked), Message("assistant", answered)]
    return tuple(found)


def turns_of(value: object, key: str, place: Place) -> list[Message]:
    """The turns of a chat; raises DataError for one that cannot be learnt from as it stands."""
    if not isinstance(value, list) or not value:
        raise place.wrong(f'expected a list of turns as "{key}", got {shown(value)}')
    return [turn_of(turn, f"{key}[{at}]", place) for at, turn in enumerate(value)]


def turn_of(turn: object, key: str, place: Place) -> Message:
    """One turn, in OpenAI's words (``role``, ``content``) or ShareGPT's (``from``, ``value``)."""
    if not isinstance(turn, dict):
        raise place.wrong(f'expected a turn with "role" and "content" as {key}, got {shown(turn)}')
    name = turn.get("role", turn.get("from"))
    if not isinstance(name, str) or name.lower() not in ROLES:
        raise place.wrong(
            f"unknown role {shown(name)} in {key}; expected system, user or assistant. Rewrite "
            "calls of tools and what they returned as such turns, or leave the example out"
        )
    content = turn.get("content", turn.get("value"))
    if isinstance(content, list):  # OpenAI's parts
        parts = [part.get("text") if isinstance(part, dict) else part for part in content]
        words = [part for part in parts if isinstance(part, str)]
        if len(words) < len(parts):
            raise place.wrong(f"{key} holds more than text, which cannot be learnt here")
        content = "".join(words)
    return Message(ROLES[name.lower()], text_of({key: content}, key, place))


def transcript(value: object, key: str, place: Place) -> list[Message]:
    """A chat that ends with an answer, as turns or as Anthropic's ``Human:``, ``Assistant:``."""
    if isinstance(value, str):
        _, *rest = TRANSCRIPT.split(written(value, key, place))
        value = [
            {"role": "user" if role == "Human" else "assistant", "content": content.strip()}
            for role, content in zip(rest[::2], rest[1::2], strict=True)
        ]
        if not value:
            raise place.wrong(f'no prompt: neither in "prompt", nor as "\\n\\nHuman:" in "{key}"')
    turns = turns_of(value, key, place)
    if turns[-1].role != "assistant":
        raise place.wrong(f'"{key}" does not end with an answer')
    return turns


def reply(record: Record, key: str, place: Place) -> str:
    """A response: a text, a turn, or a list of one turn."""
    value = record.get(key)
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, dict):
        turn = turn_of(value, key, place)
        if turn.role != "assistant":
            raise place.wrong(f'"{key}" is a turn of the {turn.role}; expected the assistant\'s')
        return turn.content
    return text_of({key: value}, key, place)


def ranked(record: Record, place: Place) -> Sequence[str]:
    """The responses, best first; ``ranking`` names them by their places, from 0."""
    found = record["responses"]
    if not isinstance(found, list) or len(found) < 2:
        raise place.wrong(f'expected two or more "responses", got {shown(found)}')
    said = [reply({"responses": [each]}, "responses", place) for each in found]
    order = record.get("ranking", list(range(len(said))))
    if (
        not isinstance(order, list)
        or not all(type(each) is int for each in order)
        or sorted(order) != list(range(len(said)))
    ):
        raise place.wrong(
            f'expected the places of all "responses", best first, from 0 to {len(said) - 1} as '
            f'"ranking", got {shown(order)}'
        )
    if len({*said}) < len(said):
        raise place.wrong('the same text stands twice among the "responses"')
    return [said[each] for each in order]


def intent_of(record: Record, place: Place, label: str = "") -> str | None:
    """What the user wanted, where it is not the ``label`` to learn."""
    if label == "intent" or record.get("intent") in (None, ""):
        return None
    return text_of(record, "intent", place)


def origin_of(record: Record, place: Place) -> Origin:
    """Who wrote it; people, where nothing is said."""
    origin = record.get("origin")
    if origin in (None, ""):
        return "annotated"
    if origin not in get_args(Origin):
        expected = ", ".join(get_args(Origin))
        raise place.wrong(f'unknown "origin" {shown(origin)}; expected one of {expected}')
    return cast(Origin, origin)


def weight_of(record: Record, place: Place) -> float:
    """How much it counts: 1, where nothing is said."""
    weight = record.get("weight")
    if weight is None:
        return 1.0
    if isinstance(weight, bool) or not isinstance(weight, int | float):
        raise place.wrong(f'expected a number as "weight", got {shown(weight)}')
    if not 0 < weight < math.inf:
        raise place.wrong(f'expected a "weight" above 0, got {shown(weight)}; what is not to count '
                          "is left out of the file")  # fmt: skip
    return float(weight)


def first(record: Record, names: Sequence[str]) -> str:
    """The first of ``names`` that a record has; empty if it has none."""
    return next((name for name in names if record.get(name) is not None), "")


def text_or_number(value: object) -> object:
    """A label: numbers are as good as names."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value
