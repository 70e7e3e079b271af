"""The gateway: the HTTP front door, for programs, people and the page; who may do what, and in what bounds.

What is asked and answered about personas, drafts and money is not decided here. Start with app.py and access.py.
"""
