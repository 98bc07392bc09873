"""The items: list, get, create, update, delete."""

from flask import Blueprint, abort, request
from flask.typing import ResponseReturnValue

from .db import get_db
from .schemas import ItemCreate, ItemUpdate

bp = Blueprint("items", __name__, url_prefix="/items")


@bp.get("/")
def list_items() -> ResponseReturnValue:
    rows = get_db().execute("SELECT * FROM items ORDER BY id")
    return [dict(row) for row in rows]


@bp.get("/<int:item_id>")
def get_item(item_id: int) -> ResponseReturnValue:
    row = get_db().execute("SELECT * FROM items WHERE id = ?", (item_id,)).fetchone()
    if row is None:
        abort(404, description="Item not found")
    return dict(row)


@bp.post("/")
def create_item() -> ResponseReturnValue:
    fields = ItemCreate.model_validate(request.get_json()).model_dump()
    db = get_db()
    cursor = db.execute(
        "INSERT INTO items (name, description, price, quantity)"
        " VALUES (:name, :description, :price, :quantity)",
        fields,
    )
    db.commit()
    return {"id": cursor.lastrowid, **fields}, 201


@bp.put("/<int:item_id>")
def update_item(item_id: int) -> ResponseReturnValue:
    item = {"id": item_id, **ItemUpdate.model_validate(request.get_json()).model_dump()}
    db = get_db()
    cursor = db.execute(
        "UPDATE items SET name = :name, description = :description, price = :price, quantity = :quantity"
        " WHERE id = :id",
        item,
    )
    db.commit()
    if cursor.rowcount == 0:
        abort(404, description="Item not found")
    return item


@bp.delete("/<int:item_id>")
def delete_item(item_id: int) -> ResponseReturnValue:
    db = get_db()
    cursor = db.execute("DELETE FROM items WHERE id = ?", (item_id,))
    db.commit()
    if cursor.rowcount == 0:
        abort(404, description="Item not found")
    return "", 204
