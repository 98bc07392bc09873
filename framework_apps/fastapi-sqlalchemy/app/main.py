"""The operations."""

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, HTTPException
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm.exc import StaleDataError
from sqlmodel import select

from .database import SessionDep
from .models import Item, ItemCreate, ItemPublic, ItemUpdate

app = FastAPI(title="Items")


@app.get("/hello")
async def hello() -> dict[str, str]:
    return {"message": "Hello, World!"}


@app.post("/echo")
async def echo(body: dict[str, Any]) -> dict[str, Any]:
    return body


@app.get("/items/", response_model=list[ItemPublic])
def list_items(session: SessionDep) -> Sequence[Item]:
    return session.exec(select(Item).order_by(Item.id)).all()


@app.get("/items/{item_id}", response_model=ItemPublic)
def get_item(item_id: int, session: SessionDep) -> Item:
    item = session.get(Item, item_id)
    if not item:
        raise HTTPException(status_code=404, detail="Item not found")
    return item


@app.post("/items/", response_model=ItemPublic, status_code=201)
def create_item(item: ItemCreate, session: SessionDep) -> Item:
    db_item = Item.model_validate(item)
    session.add(db_item)
    session.commit()
    session.refresh(db_item)
    return db_item


@app.put("/items/{item_id}", response_model=ItemPublic)
def update_item(item_id: int, item: ItemUpdate, session: SessionDep) -> Item:
    db_item = session.get(Item, item_id)
    if not db_item:
        raise HTTPException(status_code=404, detail="Item not found")
    db_item.sqlmodel_update(item.model_dump())
    session.add(db_item)
    try:
        session.commit()
        session.refresh(db_item)
    except (StaleDataError, InvalidRequestError):  # another request deleted the item in the meantime
        raise HTTPException(status_code=404, detail="Item not found") from None
    return db_item


@app.delete("/items/{item_id}", status_code=204)
def delete_item(item_id: int, session: SessionDep) -> None:
    item = session.get(Item, item_id)
    if not item:
        raise HTTPException(status_code=404, detail="Item not found")
    session.delete(item)
    session.commit()
