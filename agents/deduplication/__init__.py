"""Whether a persona has said it before: embeddings, exact and near duplicates, and the decision on every draft.

Not here: the quality of a draft (agents/scoring) and the vector store (sinks/qdrant). Start with stage.py.
"""
