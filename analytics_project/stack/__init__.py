"""`make run`: the whole service on one machine, for people who develop it or want to see it.

The order: embedded services, database and topics, then every line of the Procfile. One process
that ends ends them all. No part of this runs in production.
"""
