"""Dead letters as they stand, and what is done about them: sent again, dropped, shown, exported.

Not here: how a record becomes a letter (streams/engine/dead_letters.py) and what the commands print (streams/cli/).
Start with standing.py.
"""
