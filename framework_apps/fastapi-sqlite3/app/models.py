"""What comes in and what goes out."""

from typing import Annotated

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field, JsonValue, RootModel

NO_NUL = r"^[^\x00]*$"

ItemId = Annotated[int, Path(ge=1, le=2**63 - 1)]


class ItemIn(BaseModel):
    name: str = Field(min_length=1, max_length=100, pattern=NO_NUL)
    description: str = Field(max_length=1000, pattern=NO_NUL)
    price: float = Field(ge=0, le=1e9)
    quantity: int = Field(ge=0, le=2**31 - 1)


class Item(ItemIn):
    id: int


class JsonObject(RootModel[dict[str, JsonValue]]):
    """Any JSON object. A bound on length also makes Pydantic look for text that is no Unicode."""

    model_config = ConfigDict(allow_inf_nan=False, str_max_length=2**20)
