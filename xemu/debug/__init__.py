"""What a debugger knows and does; front ends use nothing else."""
