"""The two operations: table, graph, text form, verifier, interpreter, cost, memory plan."""
