"""The insights poller under load: how many posts one worker asks the simulator for, and whether the counts are right.

What lives here: the load and the measure; the simulator does not. Start with command.py.
"""
