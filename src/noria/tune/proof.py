"""Proves that what is served is what was trained, before anything is registered.

The exact copies are compared: the base in float32 with the adapter beside it, in llama.cpp and in
transformers. What is served afterwards may be rounded, which ``noria quantize`` measures.
"""

from collections.abc import Sequence
from pathlib import Path

from noria.jobs import silent
from noria.models.adapters import export, gguf_kept
from noria.models.llamacpp import LlamaCpp, gguf_at
from noria.models.parity import Parity, Served, Trained, check, parity
from noria.protocols import Progress
from noria.tune.render import Lesson
from noria.tune.weights import Movable
from noria.tune.workshop import Workshop

STAGE = "comparing server and trainer"


def proven(
    result: Path,
    movable: Movable,
    at: Workshop,
    prompts: Sequence[Lesson],
    progress: Progress = silent,
) -> Parity:
    """The parity of a trained ``result`` and its export on ``prompts``.

    Raises ModelError where they differ. Token ids are compared by giving both the same text.
    """
    base = gguf_at(at.weights)
    adapter = None if movable.method == "full" else result
    texts = [at.tokenizer.decode(lesson.before) for lesson in prompts]
    progress(STAGE, 0, 1)
    exact = gguf_kept(result if adapter is None else at.folder, base, at.cache, "F32")
    adapters = [export(adapter, base, at.cache)] if adapter else []
    server = LlamaCpp(exact, context=at.context, parallel=1, adapters=adapters, exact=True)
    try:
        trainer = Trained(result if adapter is None else at.folder, adapter)
        found = parity(trainer, Served(server, 0 if adapter else None), texts)
    finally:
        server.close()
    check(found)
    progress(STAGE, 1, 1)
    return found
