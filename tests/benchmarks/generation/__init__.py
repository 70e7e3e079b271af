"""The benchmark of generation: drafts decided by the platform, by a bare graph and by Celery with Redis.

Not here: the pipeline itself (agents/generation) and the KPI job's contest (agents/bench). Start with command.py.
"""
