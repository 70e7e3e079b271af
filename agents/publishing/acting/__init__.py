"""Acting: what is done next for a publication, one short step after the other.

What lives here: agreeing, handing over, publishing, looking up and deleting; what state leads where does not.
Start with acts.py.
"""
