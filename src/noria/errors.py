"""Everything Noria raises on purpose.

NoriaError
├── UsageError            wrong arguments or input; the command line exits with 2
│   ├── ConfigError       noria.toml or a setting
│   └── DataError         a file of questions, documents or judgements; names file and line
├── MissingExtraError     a room needs packages that are not installed
├── SourceError           a model's weights could not be fetched or verified
├── ModelError            a model could not be loaded, or did not answer
├── ExtractionError       a document could not be read; ingestion lists it and goes on
├── IndexStoreError       the passage index is missing, busy or was built by something else
└── BusyError             another process holds the lock

Messages say what happened, what was expected, and what to do.
"""

from pathlib import Path


class NoriaError(Exception):
    """Base of every error that Noria raises on purpose."""


class UsageError(NoriaError):
    """The caller's arguments or input are wrong."""


class ConfigError(UsageError):
    """A setting is unknown, of the wrong type, or out of range."""


class DataError(UsageError):
    """An input file is wrong; ``path`` and ``line`` say where."""

    def __init__(self, message: str, path: str | Path, line: int | None = None) -> None:
        where = f"{path}:{line}" if line is not None else str(path)
        super().__init__(f"{where}: {message}")
        self.path = Path(path)
        self.line = line


class MissingExtraError(NoriaError):
    """A room was entered without the packages it needs."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f"this needs the package '{package}', which is not installed; "
            f"run: pip install 'noria[{extra}]'"
        )
        self.extra = extra


class SourceError(NoriaError):
    """Weights could not be found, fetched, or did not match their SHA-256."""


class ModelError(NoriaError):
    """A model could not be loaded, or failed to answer."""


class ExtractionError(NoriaError):
    """One document could not be read."""


class IndexStoreError(NoriaError):
    """The passage index is missing, or cannot be used as asked."""


class BusyError(NoriaError):
    """Another process is doing the same thing."""
