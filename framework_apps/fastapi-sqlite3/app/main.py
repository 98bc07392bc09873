"""The operations."""

from typing import Any

from fastapi import FastAPI, HTTPException

from .database import ConnectionDep
from .models import ItemCreate, ItemPublic, ItemUpdate

app = FastAPI(title="Items")


@app.get("/hello")
async def hello() -> dict[str, str]:
    return {"message": "Hello, World!"}


@app.post("/echo")
async def echo(body: dict[str, Any]) -> dict[str, Any]:
    return body


@app.get("/items/", response_model=list[ItemPublic])
def list_items(connection: ConnectionDep) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute("SELECT * FROM items ORDER BY id")]


@app.get("/items/{item_id}", response_model=ItemPublic)
def get_item(item_id: int, connection: ConnectionDep) -> dict[str, Any]:
    row = connection.execute("SELECT * FROM items WHERE id = ?", (item_id,)).fetchone()
    if row is None:
        raise HTTPException(status_code=404, detail="Item not found")
    return dict(row)


@app.post("/items/", status_code=201)
def create_item(item: ItemCreate, connection: ConnectionDep) -> ItemPublic:
    cursor = connection.execute(
        "INSERT INTO items (name, description, price, quantity)"
        " VALUES (:name, :description, :price, :quantity)",
        item.model_dump(),
    )
    connection.commit()
    return ItemPublic(id=cursor.lastrowid, **item.model_dump())


@app.put("/items/{item_id}")
def update_item(item_id: int, item: ItemUpdate, connection: ConnectionDep) -> ItemPublic:
    updated = ItemPublic(id=item_id, **item.model_dump())
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
def delete_item(item_id: int, connection: ConnectionDep) -> None:
    cursor = connection.execute("DELETE FROM items WHERE id = ?", (item_id,))
    connection.commit()
    if cursor.rowcount == 0:
        raise HTTPException(status_code=404, detail="Item not found")
