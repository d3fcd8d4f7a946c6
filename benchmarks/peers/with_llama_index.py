"""LlamaIndex as documented: its directory reader, a vector index in memory, persisted.

A file is a node of its own, and only its text is embedded, so that the passages are the same for
all systems. Batches of 32: its default of 10 is slower.
"""

from pathlib import Path

from llama_index.core import SimpleDirectoryReader, VectorStoreIndex
from llama_index.core.schema import TextNode
from llama_index.embeddings.huggingface import HuggingFaceEmbedding
from timing import System, run


def load(encoder: Path, store: Path) -> System:
    """An embedding model; the index is made by the ingestion."""
    model = HuggingFaceEmbedding(model_name=str(encoder), embed_batch_size=32, device="cpu")
    model.get_text_embedding("loads the weights")
    made: list[VectorStoreIndex] = []

    def ingest(files: Path, store: Path) -> int:
        read = SimpleDirectoryReader(str(files)).load_data()
        nodes = [TextNode(id_=Path(d.metadata["file_name"]).stem, text=d.text) for d in read]
        index = VectorStoreIndex(nodes, embed_model=model)
        index.storage_context.persist(str(store))
        made.append(index)
        return len(nodes)

    def search(question: str, k: int) -> list[str]:
        found = made[0].as_retriever(similarity_top_k=k).retrieve(question)
        return [hit.node.node_id for hit in found]

    return System(ingest, search)


run(load)
