"""What a provider's errors mean: one table of status and body to a class of fault.

Not here: answers that are no errors (agents/llm/answers). Start with fault_table.py.
"""
