"""Points in Qdrant: the embeddings of accepted drafts, in the engine embedded here or on a server.

Not here: how texts are embedded and compared (agents/deduplication). Start with sink.py; VectorStore is their contract.
"""
