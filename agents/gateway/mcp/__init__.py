"""MCP: the operations of the HTTP API as tools for AI assistants, over streamable HTTP and stdio.

Each tool calls the HTTP API: roles, tenants, limits, validation and the audit log are its own. Start with tools.py.
"""
