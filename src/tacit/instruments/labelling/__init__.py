"""What people see of their labels' history: status, diff, log, merge."""
