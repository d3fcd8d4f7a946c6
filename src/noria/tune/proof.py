"""Proves that what is served is what was trained, before anything is registered.

The exact copies are compared: the base in float32 with the adapter beside it, in llama.cpp and in
transformers. What is served afterwards may be rounded, which ``noria quantize`` measures.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from noria.jobs import silent
from noria.models.adapters import export, gguf_kept
from noria.models.gguf import gguf_at
from noria.models.llamacpp import LlamaCpp
from noria.models.parity import Parity, Served, Trained, check, parity
from noria.protocols import Progress
from noria.tune.render import Lesson
from noria.tune.weights import Movable
from noria.tune.workshop import Workshop
from noria.types import Prompt

STAGE = "comparing server and trainer"


def proven(
    result: Path,
    movable: Movable,
    at: Workshop,
    prompts: Sequence[Lesson],
    progress: Progress = silent,
) -> Parity:
    """The parity of a trained ``result`` and its export on ``prompts``.

    The trainer reads the ids that it learnt after; the server renders the same chats by itself.
    Raises ModelError where they differ.
    """
    tokenizer = at.tokenizer
    read = dict(asked(lesson, tokenizer) for lesson in prompts)
    base = gguf_at(at.weights)
    adapter = None if movable.method == "full" else result
    progress(STAGE, 0, 1)
    exact = gguf_kept(result if adapter is None else at.folder, base, at.cache, "F32")
    adapters = [export(adapter, base, at.cache)] if adapter else []
    server = LlamaCpp(exact, context=at.context, parallel=1, adapters=adapters, exact=True)
    try:
        folder = result if adapter is None else at.folder
        trainer = Trained(folder, adapter, read.__getitem__)
        found = parity(trainer, Served(server, 0 if adapter else None), list(read))
    finally:
        server.close()
    check(found)
    progress(STAGE, 1, 1)
    return found


def asked(lesson: Lesson, tokenizer: Any) -> tuple[Prompt, tuple[int, ...]]:
    """What the server is given of a lesson, and the ids that the trainer reads.

    The chat, and the ids that were learnt after. One that was too long is given as text, cut as it
    was: where its halves meet, letters may join to other tokens, so the text is read anew.
    """
    if lesson.chat and not lesson.lost:
        return lesson.chat, lesson.before
    text: str = tokenizer.decode(lesson.before)
    return text, tuple(tokenizer(text)["input_ids"])
