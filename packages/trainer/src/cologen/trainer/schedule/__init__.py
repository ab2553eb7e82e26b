"""Which row comes at which step and in which size: pure functions of the step, the same for any number of processes."""
