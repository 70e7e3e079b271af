"""Rows in PostgreSQL: every fact of the topics, keyed by its id, and the commands that read them.

Not here: how KPIs are computed (agents/kpis). Start with sink.py; tables are in migrations/, statements in sql/.
"""
