"""What people see in the terminal. Progress goes to stderr, results to stdout."""

import sys
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from noria.protocols import Clock
from noria.types import Answer, Item, Slate

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from noria.corpus.ingest import Report
    from noria.evaluate.results import Comparison as Arms
    from noria.evaluate.swap import Comparison
    from noria.models.sources import Weights

LISTED = 20  # failures that are shown one by one; --json has them all
SILENCE = 30.0  # seconds after which a long job without a terminal says how far it is
SHOWN = 300  # characters of a passage


class Bar:
    """Progress bars, one a stage; a context manager that can be called as a ``Progress``.

    Where nobody looks at a terminal, what takes long writes a line now and then.
    """

    def __init__(self, clock: Clock = monotonic) -> None:
        self._clock = clock
        self._bars: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._began: dict[str, tuple[float, int]] = {}  # when, and how far it was then
        self._reached: dict[str, int] = {}
        self._told = clock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        if self._bars is not None:
            self._bars.stop()

    def __call__(self, stage: str, done: int, total: int) -> None:
        """``done`` of ``total`` steps of ``stage`` are behind us."""
        if total == 0:
            return
        name = stage.partition(",")[0]  # what follows a comma is news of the same stage
        if done < self._reached.get(name, 0):  # the same is done once more, to something else
            self._began.pop(name, None)
            if name in self._tasks and self._bars is not None:
                self._bars.reset(self._tasks[name])
        self._reached[name] = done
        (self._draw if sys.stderr.isatty() else self._write)(name, stage, done, total)

    def _draw(self, name: str, stage: str, done: int, total: int) -> None:
        if self._bars is None:
            self._bars = bars()
            self._bars.start()
        if name not in self._tasks:
            self._tasks[name] = self._bars.add_task(escape(stage), total=total)
        self._bars.update(self._tasks[name], description=escape(stage), completed=done, total=total)

    def _write(self, name: str, stage: str, done: int, total: int) -> None:
        now = self._clock()
        began, first = self._began.setdefault(name, (now, done))
        if now - self._told < SILENCE:
            return
        self._told = now
        line = f"{stage}: {done} of {total}"
        if done > first:
            line += f", {(now - began) * (total - done) / (done - first):.0f} s to go"
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


def bars() -> "Progress":
    """Bars on stderr that vanish when they are done."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True)


def stream(writing: Generator[str, None, Answer]) -> Answer:
    """Show an answer while it is written, then checked, with its citations."""
    console = Console()
    draft = ""
    with Live(console=console, auto_refresh=console.is_terminal, transient=True) as live:
        while True:
            try:
                draft += next(writing)
            except StopIteration as end:
                answer: Answer = end.value
                break
            if console.is_terminal:
                live.update(Text(draft, style="dim"))
    show_answer(console, answer)
    return answer


def show_answer(console: Console, answer: Answer) -> None:
    """The answer with numbered marks, its sources, and how sure it is."""
    console.print(marked(answer), soft_wrap=True)
    for number, citation in enumerate(answer.citations, 1):
        console.print(f"\n[{number}] {place(citation.item)}", style="cyan", markup=False)
        console.print(f"    “{one_line(citation.quote)}”", markup=False, soft_wrap=True)
    if not answer.abstained and not answer.citations:
        console.print("\nnothing in your documents supports this word for word", style="yellow")
    console.print(
        f"\nconfidence {answer.confidence:.2f} · grounded {answer.grounded:.2f} · "
        f"index {answer.index_version} · release {answer.release}",
        style="dim",
        markup=False,
        soft_wrap=True,
    )


def marked(answer: Answer) -> Text:
    """The answer's text, each supported sentence followed by the number of its quote."""
    text, last = Text(), 0
    for number, citation in sorted(
        enumerate(answer.citations, 1), key=lambda pair: pair[1].supports
    ):
        end = citation.supports[1]
        text.append(answer.text[last:end]).append(f" [{number}]", style="cyan")
        last = end
    return text.append(answer.text[last:])


def place(item: Item) -> str:
    """Where a passage stands."""
    page = f", page {item.page}" if item.page else ""
    headings = f" · {' > '.join(item.headings)}" if item.headings else ""
    return f"{item.document}{page}{headings}"


def passages(slate: Slate) -> None:
    """Passages, best first."""
    console = Console()
    if not slate.candidates:
        console.print("nothing found that you may read")
    for number, candidate in enumerate(slate.candidates, 1):
        console.print(
            f"{number}. {place(candidate.item)}  ({candidate.score:.3f})",
            style="cyan",
            markup=False,
            soft_wrap=True,
        )
        text = one_line(candidate.item.text)
        short = text if len(text) <= SHOWN else text[:SHOWN] + "…"
        console.print(f"   {short}", markup=False, soft_wrap=True)


def ingestion(report: "Report") -> None:
    """What an ingestion did, and what it could not take."""
    console = Console()
    console.print(
        f"{report.added} added, {report.updated} updated, {report.removed} removed, "
        f"{report.unchanged} unchanged in {report.seconds:.1f} s; the index holds "
        f"{report.documents} documents in {report.passages} passages ({report.index_version})",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    for title, files in (("failed", report.failed), ("skipped", report.skipped)):
        if not files:
            continue
        console.print(f"{len(files)} {title}:", style="yellow")
        for failure in files[:LISTED]:
            console.print(f"  {failure.path}: {failure.error}", markup=False, soft_wrap=True)
        if len(files) > LISTED:
            console.print(f"  … and {len(files) - LISTED} more; --json lists them all")


def comparison(found: "Comparison") -> None:
    """The old index and the new one side by side, and which is live now."""
    console = Console()
    table = Table("", "old", "new", "difference", "95 % interval")
    for retriever, metrics in found.metrics.items():
        for name, by in metrics.items():
            numbers = (f"{by.old:.4f}", f"{by.new:.4f}", f"{by.difference:+.4f}")
            table.add_row(f"{retriever} {name}", *numbers, f"{by.low:+.4f} to {by.high:+.4f}")
    if found.metrics:
        console.print(table)
    overlap = ", ".join(f"{name} {share:.2f}" for name, share in found.overlap.items())
    console.print(f"{found.questions} questions; overlap of the ten best documents: {overlap}")
    console.print(found.reason, markup=False, highlight=False, soft_wrap=True)
    for problem in found.problems[:LISTED]:
        console.print(f"  {problem}", markup=False, soft_wrap=True)
    if len(found.problems) > LISTED:
        console.print(f"  … and {len(found.problems) - LISTED} more; --json lists them all")


def weights(found: "Sequence[Weights]") -> None:
    """Models and whether they are here."""
    table = Table("role", "source", "size", "sha256", "cached")
    for w in found:
        size = f"{w.bytes / 1e6:.0f} MB" if w.bytes else "-"
        row = (w.role, w.source, size, (w.digest or "-")[:12], "yes" if w.cached else "no")
        table.add_row(*map(escape, map(str, row)))
    Console().print(table)


def legs(result: Mapping[str, Any]) -> None:
    """The retrievers side by side."""
    names = [name for name, value in result.items() if isinstance(value, dict)]
    table = Table("", *result[names[0]])
    for name in names:
        table.add_row(name, *(f"{value:.4f}" for value in result[name].values()))
    console = Console()
    console.print(table)
    console.print(f"{result['queries']} queries in {result['seconds']:.1f} s")


def side_by_side(found: "Arms", page: Path) -> None:
    """The arms with the metric that decides and their costs, the advice, and where to read on."""
    from noria.evaluate.report.forgot import short, told

    console = Console()
    table = Table("arm", found.primary, "95 % interval", "tokens a question", "seconds a question")
    if found.forgetting:
        table.add_column("forgetting")
    for name, arm in found.arms.items():
        by, each = arm.metrics.get(found.primary), max(1, arm.questions)
        figures = (f"{by.mean:.3f}", f"{by.low:.3f} to {by.high:.3f}") if by else ("-", "-")
        cells = (*figures, f"{arm.tokens / each:.0f}", f"{arm.seconds / each:.2f}")
        more = (short(found.forgetting, name),) if found.forgetting else ()
        table.add_row(escape(name), *cells, *more)
    console.print(table)
    console.print(found.advice, markup=False, highlight=False)
    for line in told(found.forgetting) if found.forgetting else ():
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    for problem in found.problems[:LISTED]:
        console.print(f"  {problem}", style="yellow", markup=False, soft_wrap=True)
    if len(found.problems) > LISTED:
        console.print(f"  … and {len(found.problems) - LISTED} more; --json lists them all")
    console.print(f"report: {page}", markup=False, soft_wrap=True)


def one_line(text: str) -> str:
    """``text`` without line ends."""
    return " ".join(text.split())


def heading(text: str) -> None:
    """A line that stands out."""
    Console().print(f"\n{escape(text)}", style="bold")


def lines(*texts: str) -> None:
    """Lines as they are."""
    for text in texts:
        Console().print(f"  {text}", markup=False, highlight=False, soft_wrap=True)
