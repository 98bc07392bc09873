"""The items: list, get, create, update, delete."""

from flask import Blueprint, abort, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm.exc import ObjectDeletedError, StaleDataError

from .models import Item, db
from .schemas import ItemCreate, ItemUpdate

bp = Blueprint("items", __name__, url_prefix="/items")


@bp.get("/")
def list_items() -> ResponseReturnValue:
    items = db.session.scalars(db.select(Item).order_by(Item.id))
    return [item.to_dict() for item in items]


@bp.get("/<int:item_id>")
def get_item(item_id: int) -> ResponseReturnValue:
    return db.get_or_404(Item, item_id).to_dict()


@bp.post("/")
def create_item() -> ResponseReturnValue:
    item = Item(**ItemCreate.model_validate(request.get_json()).model_dump())
    db.session.add(item)
    db.session.commit()
    return item.to_dict(), 201


@bp.put("/<int:item_id>")
def update_item(item_id: int) -> ResponseReturnValue:
    fields = ItemUpdate.model_validate(request.get_json()).model_dump()
    item = db.get_or_404(Item, item_id)
    for field, value in fields.items():
        setattr(item, field, value)
    try:
        db.session.commit()
        return item.to_dict()
    except (StaleDataError, ObjectDeletedError):  # another request deleted the item in the meantime
        abort(404)


@bp.delete("/<int:item_id>")
def delete_item(item_id: int) -> ResponseReturnValue:
    db.session.delete(db.get_or_404(Item, item_id))
    db.session.commit()
    return "", 204
