"""Which row comes at which step and in which size: pure, seekable, the same for any number of processes."""
