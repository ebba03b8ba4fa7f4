"""Side-by-side figures against the peers on this machine: same files, same senders, one run."""
