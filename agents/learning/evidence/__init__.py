"""What randomized tests say: clear pairs, folds that leak nothing, the ceiling.

Start with headline_tests.py.
"""
