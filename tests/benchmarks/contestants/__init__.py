"""The contestants: each a script that counts the workload in its framework's own way and reports time and answer.

Not here: the workload and the verdict (agents/bench). Start with report.py, which every contestant ends with.
"""
