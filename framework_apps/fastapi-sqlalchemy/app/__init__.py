"""Items API: FastAPI with SQLModel."""
