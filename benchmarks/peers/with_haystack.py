"""Haystack as documented: converter, embedder and writer in one pipeline, a store in memory."""

from pathlib import Path

from haystack import Pipeline
from haystack.components.converters import TextFileToDocument
from haystack.components.retrievers.in_memory import InMemoryEmbeddingRetriever
from haystack.components.writers import DocumentWriter
from haystack.document_stores.in_memory import InMemoryDocumentStore
from haystack.utils import ComponentDevice
from haystack_integrations.components.embedders.sentence_transformers import (
    SentenceTransformersDocumentEmbedder,
    SentenceTransformersTextEmbedder,
)
from timing import System, run


def load(encoder: Path, store: Path) -> System:
    """Two pipelines over one store, the weights loaded."""
    given = {
        "model": str(encoder), "device": ComponentDevice.from_str("cpu"), "local_files_only": True,
        "normalize_embeddings": True, "progress_bar": False,
    }  # fmt: skip
    held = InMemoryDocumentStore(embedding_similarity_function="dot_product")
    indexing, asking = Pipeline(), Pipeline()
    indexing.add_component("read", TextFileToDocument())
    indexing.add_component("embed", SentenceTransformersDocumentEmbedder(batch_size=32, **given))
    indexing.add_component("write", DocumentWriter(held))
    indexing.connect("read.documents", "embed.documents")
    indexing.connect("embed.documents", "write.documents")
    asking.add_component("embed", SentenceTransformersTextEmbedder(**given))
    retriever = InMemoryEmbeddingRetriever(held, top_k=10, return_embedding=False)
    asking.add_component("find", retriever)
    asking.connect("embed.embedding", "find.query_embedding")
    indexing.warm_up()
    asking.warm_up()

    def ingest(files: Path, store: Path) -> int:
        indexing.run({"read": {"sources": list(files.iterdir())}})
        held.save_to_disk(str(store / "store.json"))
        return held.count_documents()

    def search(question: str, k: int) -> list[str]:
        found = asking.run({"embed": {"text": question}, "find": {"top_k": k}})
        return [Path(d.meta["file_path"]).stem for d in found["find"]["documents"]]

    return System(ingest, search)


run(load)
