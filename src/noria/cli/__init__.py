"""The command line: parse, build, call, print. Exit 0 done, 1 failed, 2 wrong usage or input."""

import sys

import typer

from noria.cli import (
    compare,
    data,
    dataset,
    deploy,
    documents,
    feedback,
    keys,
    measure,
    models,
    quantize,
    releases,
    serve,
    start,
    status,
    synthesize,
    tune,
    turn,
)
from noria.errors import NoriaError, UsageError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # plain help: importing rich costs half the time of --help
    pretty_exceptions_enable=False,
    help="Lift your data into a language model, turn after turn.",
)
for command in (start.demo, start.init, documents.ingest, documents.search, documents.ask):
    app.command()(command)
app.command()(compare.compare)
app.command()(synthesize.synthesize)
app.command()(tune.tune)
app.command()(quantize.quantize)
app.command()(serve.serve)
app.command()(status.status)
app.command()(turn.turn)
app.add_typer(data.app, name="data")
app.add_typer(feedback.app, name="feedback")
app.command()(feedback.forget)
data.app.command("build")(dataset.build)
app.add_typer(releases.app, name="releases")
app.add_typer(keys.app, name="keys")
for change in (
    deploy.promote, deploy.rollback, deploy.canary, deploy.ab, deploy.shadow, deploy.history
):  # fmt: skip
    releases.app.command()(change)
measure.app.command("report")(compare.report)
app.add_typer(models.app, name="models")
app.add_typer(measure.app, name="evaluate")

INTERRUPTED = 130  # the exit status after Ctrl-C, as shells have it


def main() -> None:
    """Run the command line."""
    try:
        app(standalone_mode=True)
    except (KeyboardInterrupt, SystemExit) as end:
        if isinstance(end, SystemExit) and end.code != INTERRUPTED:
            raise
        stop("interrupted; what was finished is kept", INTERRUPTED)
    except BrokenPipeError:  # the reader of our output went away: nothing is wrong
        sys.stderr.close()
        sys.exit(0)
    except UsageError as error:
        stop(str(error), 2, error)
    except NoriaError as error:
        stop(str(error), 1, error)
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else "no message"
        stop(f"unexpected {type(error).__name__}: {reason} (--debug shows where)", 1, error)


def stop(message: str, code: int, error: Exception | None = None) -> None:
    """Say what went wrong, on stderr, and leave."""
    if error is not None and "--debug" in sys.argv:
        raise error
    typer.echo(f"error: {message}", err=True)
    sys.exit(code)
