"""The command that writes questions from the documents: ``synthesize``."""

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from noria.cli.options import Config, Debug, Groups, Home, Json, complain, house, progress, show

if TYPE_CHECKING:
    from noria.evaluate.synthesis.synthesize import Synthesis


def synthesize(
    out: Annotated[Path, typer.Option("--out", "-o", help="File of questions, in JSON Lines.")],
    number: Annotated[int, typer.Option("--number", "-n", min=1, help="How many to write.")] = 100,
    append: Annotated[
        bool, typer.Option("--append", help="Add to the file; ask nothing that it asks.")
    ] = False,
    groups: Groups = None,
    seed: Annotated[int, typer.Option("--seed", help="Draws the passages.")] = 0,
    json: Json = False,
    config: Config = None,
    home: Home = None,
    debug: Debug = False,
) -> None:
    """Write questions from your documents, each with the answer as it stands there."""
    from noria.corpus.ingest import parse_groups
    from noria.evaluate.arms.remember import Memory, Remembering
    from noria.evaluate.retrieval import Asked
    from noria.evaluate.synthesis.synthesize import synthesize as made
    from noria.evaluate.synthesis.synthetic import door, write

    held = door(out, append)
    with progress() as tell:
        at = house(config, home, tell)
        at.passages.snapshot()  # says that nothing was ingested before a model is loaded
        encoder = Asked(at.encoder)  # retrieval and the search for duplicates ask the same
        with closing(Memory(at.settings.home / "evaluations" / "answers.db")) as memory:
            found = made(
                number,
                at.passages,
                at.funnel_over(at.passages, encoder),
                Remembering(at.llm, memory),
                encoder,
                parse_groups(groups) or frozenset(),
                seed,
                held,
                tell,
            )
    if found.kept:
        write(out, found.kept)
    show(found.as_json(), json, told(found, number, out))
    if found.ended != "enough":
        complain(short(found, number))
    if not found.kept:
        raise typer.Exit(1)


def told(found: "Synthesis", number: int, out: Path) -> str:
    """What was done, for people."""
    lines = [f"{len(found.kept)} of {number} questions written to {out}"]
    lines = lines if found.kept else [f"no question was kept; {out} was not written"]
    if found.rejected:
        lines.append(f"{sum(found.rejected.values())} of {found.tried} were rejected:")
    lines += [f"  {count:5}  {reason}" for reason, count in found.rejected.items()]
    return "\n".join(lines)


def short(found: "Synthesis", number: int) -> str:
    """Why there are fewer questions than were wanted."""
    if found.ended == "used up":
        why = "all possible answers in the passages that may be read were used up"
    else:
        why = "the last attempts were all in vain; a larger model writes better questions"
    return f"{len(found.kept)} of {number}: {why}"
