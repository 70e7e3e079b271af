"""Import of costs, revenue and posts: a row is a record, and counts once whichever file it stands in again.

Start with kinds.py: what each kind has is data there. Not here: counts of engagement, which files tell again and again.
"""
