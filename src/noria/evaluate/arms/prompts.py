"""How each task is put to a model that reads no passages: instruction, examples, question.

Where passages are read, the prompt is the one that is served (``noria.answer.prompt``).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from noria.answer.prompt import harmless
from noria.evaluate.questions import Question, Task
from noria.types import Chat, Message, Sampling

PARAGRAPH_END, LINE_END = ("\n\n",), ("\n",)


@dataclass(frozen=True, slots=True)
class Wording:
    """The words around a question: who the model is, what it is to do, what the parts are called.

    ``tokens``: how long an answer may be; ``stop``: what ends it.
    """

    system: str
    task: str
    given: str
    wanted: str
    tokens: int
    stop: tuple[str, ...] = PARAGRAPH_END


WORDINGS: dict[Task, Wording] = {
    "qa": Wording(
        "You answer questions.",
        "Answer this question in one short, complete sentence. "
        "If you do not know the answer, say: I don't know.",
        "Question",
        "Answer",
        160,
    ),
    "choice": Wording(
        "You answer questions.",
        "Answer this question with one of the choices.",
        "Question",
        "Answer",
        32,
        LINE_END,
    ),
    "classification": Wording(
        "You sort texts by label.",
        "Say which label fits this text. Answer with the label alone.",
        "Text",
        "Label",
        32,
        LINE_END,
    ),
    "summarization": Wording(
        "You summarize texts.",
        "Summarize this text in one or two sentences.",
        "Text",
        "Summary",
        160,
    ),
    "translation": Wording(
        "You translate texts.",
        "Translate this text.",
        "Text",
        "Translation",
        200,
        LINE_END,
    ),
    "chat": Wording("You are a helpful assistant.", "", "", "", 256),
}


def sampling(task: Task, longest: int) -> Sampling:
    """How an answer to the task is written, greedily; at most ``longest`` tokens where less."""
    wording = WORDINGS[task]
    return Sampling(max_tokens=min(wording.tokens, longest), stop=wording.stop)


def chat(question: Question, examples: Sequence[Question] = ()) -> Chat:
    """The question alone, or after worked examples of the same task, as turns of a chat.

    A classifier without examples is told all labels; examples show theirs.
    """
    wording = WORDINGS[question.task]
    system = wording.system
    if question.task == "classification" and not examples:
        system += f" The labels: {', '.join(map(harmless, question.choices))}."
    turns = [Message("system", system)]
    for example in examples:
        turns += [
            Message("user", asked(example)),
            Message("assistant", harmless(example.answers[0])),
        ]
    return (*turns, Message("user", asked(question)))


def asked(question: Question) -> str:
    """The user's turn."""
    wording = WORDINGS[question.task]
    text = harmless(question.text)
    if not wording.task:
        return text
    task = f"{wording.task}\n\n{wording.given}: {text}"
    return f"{task}\n{options(question)}" if question.task == "choice" else task


def options(question: Question) -> str:
    """The choices, as the question shows them."""
    return "Choices: " + "; ".join(map(harmless, question.choices))
