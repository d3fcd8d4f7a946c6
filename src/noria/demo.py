"""The whole story on a small corpus: Noria's own documentation."""

from contextlib import AbstractContextManager
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

from noria.build import House
from noria.config import Settings
from noria.errors import NoriaError
from noria.protocols import Progress
from noria.types import Query

QUESTIONS = (
    "Which file formats can Noria read?",
    "How does Noria fuse the dense and the lexical leg?",
    "What happens to a document that cannot be read?",
    "Who may read a passage that belongs to a group?",
    "What is the capital of Peru?",
)


def run(settings: Settings, json: bool, tell: AbstractContextManager[Progress]) -> None:
    """Ingest the documentation, ask it ``QUESTIONS``, and show the answers."""
    from noria import screen
    from noria.cli.options import show
    from noria.cli.shapes import answer_json, report_json
    from noria.evaluate.arms.arm import BUILT_IN

    with tell as progress:
        house = House(settings, progress)
        report = house.ingestion.run([documentation()], datetime.now(UTC), prune=True)
        answerer = house.entrants.answerer_of(BUILT_IN[house.entrants.usual])
    if json:
        answers = [answer_json(answerer.answer(asked(n))) for n in range(len(QUESTIONS))]
        show({"ingestion": report_json(report), "answers": answers}, json)
        return
    screen.ingestion(report)
    for number, question in enumerate(QUESTIONS):
        screen.heading(question)
        screen.stream(answerer.stream(asked(number)))
    screen.heading("Now with your own documents")
    screen.lines(
        "noria ingest PATH...        add files and folders",
        'noria search "some words"   find passages',
        'noria ask "a question"      get an answer with citations',
        "noria init                  write a noria.toml to change the defaults",
    )


def asked(number: int) -> Query:
    """One of the demo's questions."""
    return Query(id=f"demo-{number}", text=QUESTIONS[number])


def documentation() -> Path:
    """The folder of Noria's documentation: in the wheel, or in the checkout."""
    packaged = Path(str(files("noria"))) / "docs"
    checkout = Path(__file__).parents[2] / "docs"
    for folder in (packaged, checkout):
        if (folder / "index.md").is_file():
            return folder
    raise NoriaError(f"the documentation is not at {packaged}; install Noria again")
