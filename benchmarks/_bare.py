"""llama.cpp's own HTTP server, with the weights, adapter and settings that Noria serves with.

A process of its own, which the benchmarks start.

    python benchmarks/_bare.py --config noria.toml --home DIR --port 8002
"""

import argparse
import signal
from pathlib import Path

import xllamacpp

from noria.config import load
from noria.models import reader
from noria.models.adapters import export
from noria.models.cache import default_cache
from noria.models.gguf import fast, gguf_at
from noria.models.llama_server import cores, parameters
from noria.models.sources import fetch

HTTP = 16  # threads that speak HTTP: each stream takes one


def main() -> None:
    """Serve until the process is told to end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    models = load(given.config, given.home).models
    weights, cache = gguf_at(fetch(models.generator)), default_cache()
    served = fast(weights, cache) if models.fast_copy else weights
    adapters = [export(reader.FOLDER, weights, cache)] if models.reader else []
    rest = models.context, models.parallel, models.threads or cores()
    params = parameters(served, adapters, *rest)
    params.hostnames, params.port, params.n_threads_http = ["127.0.0.1"], given.port, HTTP
    server = xllamacpp.Server(params)  # ends with its last name
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    del server


if __name__ == "__main__":
    main()
