"""A stand-in for Ganeti 3.0, as far as the plugin relies on it.

Written from the facts, in our words; tests/contract holds it against the real
one, and where they disagree, this is wrong.

"""
