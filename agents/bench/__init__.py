"""The KPI benchmark: one job, the same answer demanded of every contestant, each in a process of its own.

Not here: the KPI agent itself (agents/kpis). Start with kpi_contest.py; workload.py says what the job is.
"""
