"""What a hook is to the predictor: runs of words and characters, style, vectors.

Start with hook_features.py.
"""
