"""Fine-tuning: posts that did well, as examples in the form that the provider learns from.

Start with commands.py.
"""
