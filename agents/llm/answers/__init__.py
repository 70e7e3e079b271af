"""What an answer of any provider says: text, tokens by its convention, and what of it can be used.

Not here: errors (agents/llm/faults). Start with answer.py.
"""
