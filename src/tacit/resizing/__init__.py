"""Make a program smaller, faster or larger: channels taken away or added, and trained on."""
