"""Models of the quality score: its weights learned from what posts brought, promoted, in force and rolled back.

Start with training.py; which model is in force says quality_models.py.
"""
