"""The data that clients send."""

from pydantic import BaseModel, Field


class ItemCreate(BaseModel):
    name: str = Field(min_length=1, max_length=100)
    description: str = Field(max_length=1000)
    price: float = Field(ge=0, le=1e9)
    quantity: int = Field(ge=0, le=2**31 - 1)


class ItemUpdate(ItemCreate):
    pass
