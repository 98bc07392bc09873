"""The items: list, get, create, update, delete."""

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from .models import Item, db
from .validation import item_fields

bp = Blueprint("items", __name__, url_prefix="/items")


@bp.get("/")
def list_items() -> ResponseReturnValue:
    items = db.session.scalars(db.select(Item).order_by(Item.id))
    return jsonify([item.to_dict() for item in items])


@bp.get("/<int:item_id>")
def get_item(item_id: int) -> ResponseReturnValue:
    return db.get_or_404(Item, item_id).to_dict()


@bp.post("/")
def create_item() -> ResponseReturnValue:
    item = Item(**item_fields(request.get_json()))
    db.session.add(item)
    db.session.commit()
    return item.to_dict(), 201


@bp.put("/<int:item_id>")
def update_item(item_id: int) -> ResponseReturnValue:
    fields = item_fields(request.get_json())
    item = db.get_or_404(Item, item_id)
    for field, value in fields.items():
        setattr(item, field, value)
    db.session.commit()
    return item.to_dict()


@bp.delete("/<int:item_id>")
def delete_item(item_id: int) -> ResponseReturnValue:
    db.session.delete(db.get_or_404(Item, item_id))
    db.session.commit()
    return "", 204
