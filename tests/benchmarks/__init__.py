"""The benchmark: one job for all contestants, and the platform's latency, recovery, cost curve and scaling.

Not here: the KPI agent itself (agents/kpis). Start with commands.py; workload.py says what the job is.
"""
