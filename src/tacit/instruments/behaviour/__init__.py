"""What an edit did to a program: two binaries on the same examples, answer by answer."""
