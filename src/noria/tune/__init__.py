"""Fine-tunes the generator and the retriever on examples."""
