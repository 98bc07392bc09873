"""Items API: FastAPI with SQLModel, which is SQLAlchemy and Pydantic."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException
from sqlmodel import select

from .database import SessionDep, create_table
from .errors import add_error_handlers
from .models import Item, ItemId, ItemIn, ItemOut, JsonObject


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    create_table()
    yield


app = FastAPI(title="Items", lifespan=lifespan)
add_error_handlers(app)


def get_or_404(session: SessionDep, item_id: int) -> Item:
    item = session.get(Item, item_id)
    if item is None:
        raise HTTPException(status_code=404, detail="Item not found")
    return item


@app.get("/hello")
async def hello() -> dict[str, str]:
    return {"message": "Hello, World!"}


@app.post("/echo")
async def echo(body: JsonObject) -> JsonObject:
    return body


@app.get("/items/", response_model=list[ItemOut])
def list_items(session: SessionDep) -> Sequence[Item]:
    return session.exec(select(Item).order_by(Item.id)).all()


@app.get("/items/{item_id}", response_model=ItemOut)
def get_item(item_id: ItemId, session: SessionDep) -> Item:
    return get_or_404(session, item_id)


@app.post("/items/", response_model=ItemOut, status_code=201)
def create_item(item: ItemIn, session: SessionDep) -> Item:
    created = Item.model_validate(item)
    session.add(created)
    session.commit()
    return created


@app.put("/items/{item_id}", response_model=ItemOut)
def update_item(item_id: ItemId, item: ItemIn, session: SessionDep) -> Item:
    updated = get_or_404(session, item_id)
    updated.sqlmodel_update(item.model_dump())
    session.add(updated)
    session.commit()
    return updated


@app.delete("/items/{item_id}", status_code=204)
def delete_item(item_id: ItemId, session: SessionDep) -> None:
    session.delete(get_or_404(session, item_id))
    session.commit()
