"""PostgreSQL's tables made again from the log, in a schema beside the live ones, compared with them and put in place.

Start with rebuild.py, which has the order of the steps; the statements are in sinks/postgres/sql/rebuilding.sql.
"""
