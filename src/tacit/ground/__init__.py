"""The ground floor: errors, digests, files, budget, tables of extensions."""
