"""How fast a topic is replayed into a store, beside the store's own bulk load of the same rows."""
