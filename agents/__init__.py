"""The minds: agents that ask a chat model and admit its typed answers."""
