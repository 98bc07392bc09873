"""The table, and what comes in and what goes out."""

from typing import Annotated, Any, ClassVar

from fastapi import Path
from pydantic import ConfigDict, JsonValue, RootModel, StringConstraints
from sqlalchemy import REAL, Text
from sqlmodel import Field, SQLModel

# SQLModel 0.0.50 takes a `regex=` of its Field and forgets it.
NoNul = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]

ItemId = Annotated[int, Path(ge=1, le=2**63 - 1)]


class ItemBase(SQLModel):
    name: NoNul = Field(min_length=1, max_length=100)
    description: NoNul = Field(max_length=1000, sa_type=Text)
    price: float = Field(ge=0, le=1e9, sa_type=REAL)
    quantity: int = Field(ge=0, le=2**31 - 1)


class Item(ItemBase, table=True):
    __tablename__ = "items"
    # Of two clients that delete an item at the same time, the second finds it gone, which is what it wanted.
    __mapper_args__: ClassVar[dict[str, Any]] = {"confirm_deleted_rows": False}

    id: int | None = Field(default=None, primary_key=True)


class ItemIn(ItemBase):
    pass


class ItemOut(ItemBase):
    id: int


class JsonObject(RootModel[dict[str, JsonValue]]):
    """Any JSON object. A bound on length also makes Pydantic look for text that is no Unicode."""

    model_config = ConfigDict(allow_inf_nan=False, str_max_length=2**20)
