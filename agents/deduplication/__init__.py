"""Whether this or another persona has said it before: duplicates, and the decision on every draft.

Not here: embeddings (agents/embedding), quality (agents/scoring) and the vector store (sinks/qdrant).
Start with stage.py; tuning.py sets limits.
"""
