"""Rows in PostgreSQL: every fact of the topics, keyed by its id.

Not here: what is read of them (sinks/reports). Start with sink.py; tables are in migrations/, statements in sql/.
"""
