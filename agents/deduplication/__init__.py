"""Whether this or another persona has said it before: embeddings, duplicates, and the decision on every draft.

Not here: quality (agents/scoring) and the vector store (sinks/qdrant). Start with stage.py; tuning.py sets limits.
"""
