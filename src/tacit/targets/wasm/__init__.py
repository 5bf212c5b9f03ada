"""WebAssembly: a module without imports, an ES module that calls it, and a page that reads a person's input."""
