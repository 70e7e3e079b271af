"""The command line `threads-agent`: one file a command, loaded when it is asked for.

Not here: commands of agents and sinks, which come in as entry points (`threads.commands`). Start with main.py.
"""
