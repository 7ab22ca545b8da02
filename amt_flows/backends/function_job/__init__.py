"""What the process of a training job that is a function is made of. Standard library only, and little of it:
each training job imports this anew."""
