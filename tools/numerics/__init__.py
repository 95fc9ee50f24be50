"""What the engines compute with, whatever it means: packed columns, counts, concave fits, memory."""
