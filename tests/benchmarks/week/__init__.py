"""A simulated week of personas on a fast clock, with faults and kill -9: every accepted post once, KPIs as they are.

What lives here: what is asked for, the processes and their clock, who acts by hand, and the comparison with the
simulator's truth. Start with command.py.
"""
