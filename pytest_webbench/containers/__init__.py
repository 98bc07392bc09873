"""Container engines: reaching one, building images, and leaving nothing behind."""
