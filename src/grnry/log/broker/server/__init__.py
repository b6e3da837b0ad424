"""The asyncio side of the broker: connections, handlers, the process."""
