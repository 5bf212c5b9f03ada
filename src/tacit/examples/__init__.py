"""The source code of a program: reading what a person has, and the store of labels and media."""
