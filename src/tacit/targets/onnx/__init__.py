"""An ONNX model with named inputs and outputs and a dynamic batch, made of the nodes that runtimes are fast at."""
