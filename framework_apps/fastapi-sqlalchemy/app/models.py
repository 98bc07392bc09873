"""The table, and the data that clients send and receive."""

from sqlalchemy import REAL, Text
from sqlmodel import Field, SQLModel


class ItemBase(SQLModel):
    name: str = Field(min_length=1, max_length=100)
    description: str = Field(max_length=1000, sa_type=Text)
    price: float = Field(ge=0, le=1e9, sa_type=REAL)
    quantity: int = Field(ge=0, le=2**31 - 1)


class Item(ItemBase, table=True):
    __tablename__ = "items"

    id: int | None = Field(default=None, primary_key=True)


class ItemCreate(ItemBase):
    pass


class ItemUpdate(ItemBase):
    pass


class ItemPublic(ItemBase):
    id: int
