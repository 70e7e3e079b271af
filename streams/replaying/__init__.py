"""A chosen part of the log, read again into a target: counted first, throttled, watched, resumed where it broke off.

Start with replay.py; target.py is what stores have to bring.
"""
