"""One made-up value for every field name of the contracts; examples of messages are put together from them.

An entry `Message.field` goes before `field`. Phone numbers are from the range for fiction. Must stay data.
"""

from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from gateway.rest.codec import Field

_DAY = {"year": 2026, "month": 3, "day": 14}
_PRICE = {"currency_code": "USD", "units": "10250", "nanos": 0}
_ULID = "01kk5t0q3v8n2e4w6y7z9a1b3c"

VALUES: dict[str, Any] = {
    "CreateBulkSendRequest.purpose": "PURPOSE_MARKETING",
    "exploration_share": 0.05,
    "holdout_share": 0.1,
    "most_share": 0.5,
    "fatigue_days": 14,
    "top_share": 0.1,
    "middle_share": 0.3,
    "daily_goal": 8,
    "overdue_days": 3,
    "approval_above": 500,
    "pace_per_hour": 600,
    "reply_days": 7,
    "visit_days": 30,
    "appointment_days": 30,
    "purchase_days": 60,
    "parameters": {"silent_days": 200},
    "excluded_by_reason": {"CONSENT_MISSING": "12"},
    "CataloguePiece.code": "RNG-1042",
    "collection": "Autumn",
    "set_code": "SET-7",
    "image_url": "https://pieces.example/rng-1042.jpg",
    # ids
    "attachment_id": f"att_{_ULID}",
    "audit_entry_id": f"aud_{_ULID}",
    "cash_alert_id": f"cal_{_ULID}",
    "connector_id": f"cnn_{_ULID}",
    "connector_run_id": f"cnr_{_ULID}",
    "duplicate_id": f"dup_{_ULID}",
    "duplicate_pass_id": f"dpp_{_ULID}",
    "erasure_id": f"era_{_ULID}",
    "export_id": f"exp_{_ULID}",
    "field_conflict_id": f"fco_{_ULID}",
    "import_mapping_id": f"imm_{_ULID}",
    "item_id": f"vis_{_ULID}",
    "merge_id": f"mrg_{_ULID}",
    "note_id": f"nte_{_ULID}",
    "preference_id": f"prf_{_ULID}",
    "relationship_id": f"rel_{_ULID}",
    "repair_id": f"rep_{_ULID}",
    "return_id": f"ret_{_ULID}",
    "segment_id": f"seg_{_ULID}",
    "wish_id": f"wsh_{_ULID}",
    "exchange_purchase_id": f"pur_{_ULID}",
    "bought_by_client_id": f"cli_{_ULID[:-1]}d",
    "chosen_client_id": f"cli_{_ULID[:-1]}d",
    "merged_client_id": f"cli_{_ULID[:-1]}d",
    "recipient_client_id": f"cli_{_ULID[:-1]}d",
    "related_client_id": f"cli_{_ULID[:-1]}d",
    "successor_client_id": f"cli_{_ULID[:-1]}d",
    "surprise_for_client_id": f"cli_{_ULID[:-1]}d",
    "surviving_client_id": f"cli_{_ULID}",
    "former_client_ids": [f"cli_{_ULID[:-1]}d"],
    "linked_client_ids": [f"cli_{_ULID[:-1]}d"],
    "open_repair_ids": [f"rep_{_ULID}"],
    "brand_ids": [f"brd_{_ULID}"],
    "Attachment.subject_id": f"rep_{_ULID}",
    "CreateAttachmentRequest.subject_id": f"rep_{_ULID}",
    "ListAttachmentsRequest.subject_id": f"rep_{_ULID}",
    "actor_id": f"usr_{_ULID}",
    "allocation_id": f"alc_{_ULID}",
    "api_key_id": f"key_{_ULID}",
    "appointment_id": f"apt_{_ULID}",
    "assignment_id": f"asg_{_ULID}",
    "associate_id": f"aso_{_ULID}",
    "cover_associate_id": f"aso_{_ULID[:-1]}d",
    "from_associate_id": f"aso_{_ULID}",
    "secondary_associate_id": f"aso_{_ULID[:-1]}d",
    "target_associate_ids": [f"aso_{_ULID[:-1]}d", f"aso_{_ULID[:-1]}e"],
    "to_associate_id": f"aso_{_ULID[:-1]}d",
    "associate_ids": [f"aso_{_ULID}"],
    "associate_resource_id": f"res_{_ULID}",
    "associate_resource_ids": [f"res_{_ULID}"],
    "brand_id": f"brd_{_ULID}",
    "chain_id": f"chn_{_ULID}",
    "client_id": f"cli_{_ULID}",
    "client_ids": [f"cli_{_ULID}"],
    "consent_id": f"cns_{_ULID}",
    "contact_point_id": f"cpt_{_ULID}",
    "conversation_id": f"cnv_{_ULID}",
    "cover_id": f"cov_{_ULID}",
    "entry_id": f"ent_{_ULID}",
    "event_id": f"evt_{_ULID}",
    "PartnerEvent.id": f"evt_{_ULID}",
    "external_id": "10442",
    "import_id": f"imp_{_ULID}",
    "interest_id": f"int_{_ULID}",
    "message_id": f"msg_{_ULID}",
    "occasion_id": f"occ_{_ULID}",
    "offer_id": f"off_{_ULID}",
    "piece_id": f"pce_{_ULID}",
    "provider_message_id": "SM0001",
    "purchase_id": f"pur_{_ULID}",
    "reassignment_id": f"rea_{_ULID}",
    "reference_id": f"ref_{_ULID}",
    "request_id": "till-7-2026-03-14-0042",
    "resource_id": f"res_{_ULID}",
    "room_resource_id": f"res_{_ULID[:-1]}d",
    "room_resource_ids": [f"res_{_ULID[:-1]}d"],
    "sender_id": f"snd_{_ULID}",
    "store_id": f"str_{_ULID}",
    "home_store_id": f"str_{_ULID}",
    "store_ids": [f"str_{_ULID}"],
    "subject_id": f"pur_{_ULID}",
    "suggestion_id": f"sug_{_ULID}",
    "user_id": f"usr_{_ULID}",
    "visit_id": f"vis_{_ULID}",
    "webhook_delivery_id": f"whd_{_ULID}",
    "webhook_endpoint_id": f"whe_{_ULID}",
    # people and words
    "actor": f"usr_{_ULID}",
    "author": f"usr_{_ULID}",
    "captured_by": f"usr_{_ULID}",
    "created_by": f"usr_{_ULID}",
    "display_name": "Maison Example, Fifth Avenue",
    "Reference.display_name": "Diver 41, steel",
    "CreateReferenceRequest.display_name": "Diver 41, steel",
    "Brand.display_name": "Example Watches",
    "CreateBrandRequest.display_name": "Example Watches",
    "Associate.display_name": "Ines Example",
    "CreateAssociateRequest.display_name": "Ines Example",
    "User.display_name": "Ines Example",
    "CreateUserRequest.display_name": "Ines Example",
    "CreateFirstAdminRequest.display_name": "Ines Example",
    "CurrentCaller.display_name": "Ines Example",
    "ApiKey.display_name": "Point of sale",
    "CreateApiKeyRequest.display_name": "Point of sale",
    "Resource.display_name": "Salon bleu",
    "CreateResourceRequest.display_name": "Salon bleu",
    "Chain.display_name": "Maison Example",
    "CreateChainRequest.display_name": "Maison Example",
    "email": "ines@example.com",
    "given_name": "Ana",
    "family_name": "Example",
    "for_whom": "her sister",
    "label": "mobile",
    "note": "Prefers afternoons.",
    "password": "seven-lemons-42-trains",
    "query": "exam",
    "reason": "Bought it elsewhere.",
    "GateReason.reason": "QUIET_HOURS",
    "GateReason.message": "It is 21:40 where the client is.",
    "ImportFault.reason": "AMOUNT_INVALID",
    "ImportFault.message": "'1,2,3' is not an amount",
    "ImportFault.field": "amount",
    "cancel_reason": "",
    "disable_reason": "",
    "dismiss_reason": "",
    "ineligible_reason": "",
    "failure": "",
    "model_note": "",
    "last_error": "",
    "sentence": "Bought once, 214 days ago, and has not been back.",
    "summary": "Bought 2 pieces for USD 77.00",
    "wording": "Registering interest does not guarantee a watch.",
    "evidence": "You may text me about my order and new pieces.",
    "purpose": "gift",
    "description": "Ring with one stone",
    "body": "Good afternoon Ana, the ring that you liked is back in your size. Shall I keep it for you?",
    "Note.text": "Her sister likes sapphires.",
    "CreateNoteRequest.text": "Her sister likes sapphires.",
    "UpdateNoteRequest.text": "Her sister likes sapphires.",
    "closed_by": f"usr_{_ULID}",
    "closing_note": "Form filed.",
    "decided_by": f"usr_{_ULID}",
    "settled_by": f"usr_{_ULID}",
    "companion": "her mother",
    "explanation": "The same number.",
    "last_failure": "",
    "nickname": "Annie",
    "tags": ["collector"],
    # contact and place
    "PostalAddress.lines": ["350 Example Avenue"],
    "locality": "New York",
    "postal_code": "10001",
    "region": "NY",
    "derived_time_zone": "America/New_York",
    "languages": ["en-US"],
    "phone": "+12025550142",
    "client_phone": "+12025550142",
    "from_phone": "+12025550142",
    "to_phone": "+12025550100",
    "contact_value": "+12025550142",
    "ContactPoint.value": "+12025550142",
    "Preference.value": "6.5",
    "country": "US",
    "currency_code": "USD",
    "language": "en-US",
    "time_zone": "America/New_York",
    # pieces
    "category": "ring",
    "code": "126-41-ST",
    "cut": "emerald",
    "metal": "platinum",
    "reference": "126-41-ST",
    "serial": "EX1042207",
    "serials": ["EX1042207", "EX1042208"],
    "size": "6.5",
    "stone": "diamond",
    "style": "solitaire",
    "carat": "1.25",
    "certificate": "GIA 1234567890",
    "categories": ["ring"],
    "metals": ["platinum"],
    "SegmentFilter.stones": ["diamond"],
    # repairs and attachments
    "accessories": "box and papers",
    "color": "G",
    "IntakeStone.kind": "diamond",
    "purity": "750",
    "scope": "Size down to 6; polish.",
    "second_contact": "her sister",
    "shape": "round",
    "visible_flaws": "Scratch on the shank.",
    "weight_grams": "4.2",
    "caption": "As it came in",
    "content_type": "image/jpeg",
    "Attachment.file_name": "ring.jpg",
    "CreateAttachmentRequest.file_name": "ring.jpg",
    "byte_count": "482113",
    # merges, privacy and sync
    "choices": {"family_name": f"cli_{_ULID}"},
    "erased": {"contact_points": "2"},
    "delta_times": {"customers": "2026-03-14T17:00:00Z"},
    "action": "GetClient",
    "basis": "tax and accounting records",
    "AuditEntry.role": "manager",
    "client_secret": "from-the-tenant",
    "column": "CustNo",
    "company_id": "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
    "current_value": "Example",
    "current_writer": "associate",
    "encoding": "utf-8",
    "environment": "production",
    "MergeDifference.field": "family_name",
    "FieldConflict.field": "family_name",
    "FieldRule.field": "family_name",
    "InspectedColumn.field": "family_name",
    "KeptItem.kind": "visit",
    "merged_value": "Exampel",
    "next_cursor": "WyJjaG5fMSIsNDJd",
    "offered_value": "Exampel",
    "remarks": ["2 of 40 are no dates"],
    "samples": ["10442"],
    "service": "messaging",
    "surviving_value": "Example",
    "tenant_id": "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d",
    # money, days and times
    "price": _PRICE,
    "total": _PRICE,
    "amount": _PRICE,
    "expected_value_year": _PRICE,
    "nanos": 0,
    "units": "10250",
    "date": _DAY,
    "weekday": 1,
    "opens": "10:00",
    "closes": "19:00",
    # imports
    "columns": {"customer": "client_external_id", "day": "purchase_date", "total": "amount"},
    "delimiter": ",",
    "file_name": "sales-2026-03.csv",
    "source": "till",
    "PartnerEvent.source": f"carnet/chn_{_ULID}/waitlist",
    # partners and keys
    "after": "",
    "data": {
        "offer_id": f"off_{_ULID}",
        "piece_id": f"pce_{_ULID}",
        "brand_id": f"brd_{_ULID}",
        "serial": "EX1042207",
    },
    "datacontenttype": "application/json",
    "event_type": "carnet.waitlist.offer.accepted.v1",
    "event_types": ["carnet.waitlist.offer.accepted.v1"],
    "last_status": 200,
    "next_after": "WyJicmRfMSIsNDJd",
    "next_page_token": "",
    "page_token": "",
    "page_size": 50,
    "prefix": "cnk_7z9a1b3c",
    "scopes": ["clients:read", "purchases:write"],
    "secret": "shown-this-once",
    "specversion": "1.0",
    "subject": f"pce_{_ULID}",
    "PartnerEvent.type": "carnet.waitlist.offer.accepted.v1",
    "token": "cns_shown-this-once",
    "url": "https://partner.example/carnet",
    "CreateUserRequest.role": "ROLE_ASSOCIATE",
    "CreateApiKeyRequest.role": "ROLE_INTEGRATION",
    "ApiKey.role": "ROLE_INTEGRATION",
    # figures
    "attempts": 1,
    "probability_alive": 0.83,
    "expected_purchases_year": 1.4,
    "contribution": 12.5,
    "score": 41.25,
    "facts": {"days_silent": "214"},
    "r": 0.243,
    "alpha": 4.414,
    "a": 0.793,
    "b": 2.426,
    "p": 6.25,
    "q": 3.74,
    "gamma": 15.44,
    "log_likelihood": -9582.43,
    "duration_seconds": 0.41,
    "minutes": 60,
    "buffer_minutes": 15,
    "hold_hours": 48,
    "quantity": 1,
    "rank": 1,
    "segments": 1,
    "unread_count": 0,
    "error_code": "",
    "etag": "7",
    "preview_etag": "0a1f5c2e9b7d4386a1c0e2f4b6d8907c",
    "client_count": 120,
    "update_mask": "language,home_store_id",
    "name": "waiting_time",
    "ScorePart.sentence": "Has waited 212 days.",
    "recent_allocation_days": 365,
    "is_shared_number": False,
}

_TIME = "2026-03-14T17:00:00Z"
_NO_NUMBER = 1


def example_of(descriptor: Any, *, without: frozenset[str] = frozenset(), depth: int = 0) -> dict[str, Any]:
    """Return the JSON of an example message, without the fields named in `without`."""
    return {
        field.name: example_value(field, depth=depth)
        for field in descriptor.fields
        if field.name not in without and (field.name != "request_id" or depth)
    }


def example_value(field: Field, *, depth: int = 0) -> Any:
    """Return an example of one field."""
    owner = field.containing_type.name
    for key in (f"{owner}.{field.name}", field.name):
        if key in VALUES and _fits(field, VALUES[key]):
            return VALUES[key]
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return {"text": example_value(field.message_type.fields_by_name["value"], depth=depth)}
    one = _single(field, depth)
    return [one] if field.is_repeated else one


def _fits(field: Field, value: Any) -> bool:
    # A field name can stand for different things in different messages: purpose is a word here, an enum there.
    if field.is_repeated and not (field.message_type and field.message_type.GetOptions().map_entry):
        return isinstance(value, list)
    if field.message_type is not None:
        wants_text = field.message_type.full_name in (
            "google.protobuf.Timestamp",
            "google.protobuf.FieldMask",
        )
        return isinstance(value, str) if wants_text else isinstance(value, dict)
    if field.enum_type is not None:
        return isinstance(value, str) and value in field.enum_type.values_by_name
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return isinstance(value, str)
    if field.cpp_type in (FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT64):
        return isinstance(value, str)
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return isinstance(value, bool)
    return isinstance(value, int | float) and not isinstance(value, bool)


def _single(field: Field, depth: int) -> Any:
    if field.message_type is not None:
        match field.message_type.full_name:
            case "google.protobuf.Timestamp":
                return _TIME
            case "google.type.Date":
                return _DAY
            case "google.protobuf.Struct":
                return {}
        return example_of(field.message_type, depth=depth + 1)
    if field.enum_type is not None:
        return first_name(field.enum_type)
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return True
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return "text"
    if field.cpp_type in (FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT64):
        return str(_NO_NUMBER)
    return _NO_NUMBER


def first_name(enum: Any) -> str:
    """Return the first value of an enum that means something."""
    return str(next(value.name for value in enum.values if value.number))
