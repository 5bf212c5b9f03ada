"""Freestanding C: one template of register-blocked loops for every instruction."""
