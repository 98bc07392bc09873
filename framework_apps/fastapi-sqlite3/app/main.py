"""Items API: FastAPI on the standard library's sqlite3."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, HTTPException

from .database import Connection, create_table
from .errors import add_error_handlers
from .models import Item, ItemId, ItemIn, JsonObject


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    create_table()
    yield


app = FastAPI(title="Items", lifespan=lifespan)
add_error_handlers(app)


@app.get("/hello")
async def hello() -> dict[str, str]:
    return {"message": "Hello, World!"}


@app.post("/echo")
async def echo(body: JsonObject) -> JsonObject:
    return body


@app.get("/items/", response_model=list[Item])
def list_items(connection: Connection) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute("SELECT * FROM items ORDER BY id")]


@app.get("/items/{item_id}", response_model=Item)
def get_item(item_id: ItemId, connection: Connection) -> dict[str, Any]:
    row = connection.execute("SELECT * FROM items WHERE id = ?", (item_id,)).fetchone()
    if row is None:
        raise HTTPException(status_code=404, detail="Item not found")
    return dict(row)


@app.post("/items/", status_code=201)
def create_item(item: ItemIn, connection: Connection) -> Item:
    cursor = connection.execute(
        "INSERT INTO items (name, description, price, quantity)"
        " VALUES (:name, :description, :price, :quantity)",
        item.model_dump(),
    )
    connection.commit()
    return Item(id=cursor.lastrowid, **item.model_dump())


@app.put("/items/{item_id}")
def update_item(item_id: ItemId, item: ItemIn, connection: Connection) -> Item:
    updated = Item(id=item_id, **item.model_dump())
    cursor = connection.execute(
        "UPDATE items SET name = :name, description = :description, price = :price, quantity = :quantity"
        " WHERE id = :id",
        updated.model_dump(),
    )
    connection.commit()
    if cursor.rowcount == 0:
        raise HTTPException(status_code=404, detail="Item not found")
    return updated


@app.delete("/items/{item_id}", status_code=204)
def delete_item(item_id: ItemId, connection: Connection) -> None:
    cursor = connection.execute("DELETE FROM items WHERE id = ?", (item_id,))
    connection.commit()
    if cursor.rowcount == 0:
        raise HTTPException(status_code=404, detail="Item not found")
