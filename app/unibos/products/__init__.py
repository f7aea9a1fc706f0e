"""What people use. Products are strangers to each other."""
