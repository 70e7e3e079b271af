"""What the commands read of PostgreSQL: KPIs, posts, drafts, costs, and how a table of it looks.

Not here: how rows get there (sinks/postgres). Start with commands.py; statements are in sql/.
"""
