"""Changelogged state: what a stage knows of a partition, kept in a compacted topic and in a local RocksDB.

Not here: what keys and values mean (each stage says), when they are written (engine/). Start with changelogged.py.
"""
