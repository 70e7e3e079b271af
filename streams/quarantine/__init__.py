"""Which records ended the worker, and when there is no use in going on.

Not here: records that are refused (streams/engine/dead_letters.py). Start with quarantine.py.
"""
