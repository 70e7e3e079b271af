"""What people ask of publications and are shown of them: the book of what is told, commands and their answers.

What lives here: looking and asking from outside the worker; what is decided there does not (agents/publishing).
Start with asking.py.
"""
