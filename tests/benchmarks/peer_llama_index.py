"""The peer of bench_peer: reads work as JSON from its input, and tells seconds or reciprocal ranks as JSON. Runs in its own environment."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

CHUNK_TOKENS, DEPTH = 220, 10


def main() -> int:
    from llama_index.core import Document, Settings, VectorStoreIndex
    from llama_index.core.node_parser import SentenceSplitter
    from llama_index.embeddings.huggingface import HuggingFaceEmbedding
    from llama_index.readers.file import PDFReader

    work: dict[str, Any] = json.load(sys.stdin)
    embedder = HuggingFaceEmbedding(model_name=sys.argv[1])
    Settings.embed_model, Settings.llm = embedder, None
    encode = embedder._model.tokenizer.encode  # its chunks are counted with the embedder's tokenizer, as ours are
    splitter = SentenceSplitter(chunk_size=CHUNK_TOKENS, chunk_overlap=20, tokenizer=lambda text: encode(text, add_special_tokens=False))
    embedder.get_text_embedding("warm")
    if "book" in work:
        began = time.perf_counter()
        pages = PDFReader().load_data(Path(work["book"]))
        VectorStoreIndex.from_documents(pages, transformations=[splitter])
        told: dict[str, Any] = {"seconds": [time.perf_counter() - began]}
    else:
        documents = [Document(text=text, id_=str(number)) for number, text in enumerate(work["passages"])]
        retriever = VectorStoreIndex.from_documents(documents, transformations=[splitter]).as_retriever(similarity_top_k=3 * DEPTH)
        ranks = []
        for question, right in work["questions"]:
            order = list(dict.fromkeys(node.node.ref_doc_id for node in retriever.retrieve(question)))[:DEPTH]
            ranks.append(1 / (order.index(str(right)) + 1) if str(right) in order else 0.0)
        told = {"ranks": ranks}
    print(json.dumps(told))
    return 0


if __name__ == "__main__":
    sys.exit(main())
