"""What a cell of an export says: visible text, numbers by the file's convention, and ids.

Not here: rows of cells and formats of times (agents/importing). Start with numbers.py.
"""
