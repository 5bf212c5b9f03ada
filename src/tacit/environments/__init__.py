"""What a program acts in instead of learning from examples: environments, and games of two players."""
