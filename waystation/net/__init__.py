"""Sockets: listener, conversation (socket ⇄ wire), client, pool, TLS."""
