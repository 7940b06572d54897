"""The demo chain's templates: what its stores write often."""

from collections.abc import Sequence
from typing import Any

TEMPLATES: Sequence[dict[str, Any]] = (
    {
        "display_name": "Ready to be picked up",
        "purpose": "PURPOSE_SERVICE",
        "texts": [
            {
                "language_code": "en",
                "body": "{{sender.name}}: dear {{client.given_name}}, your {{piece}} is ready at {{store.name}}."
                " Best, {{associate.name}}",
            },
            {
                "language_code": "fr",
                "body": "{{sender.name}} : bonjour {{client.given_name}}, votre {{piece}} est prêt chez {{store.name}}."
                " {{associate.name}}",
            },
        ],
    },
    {
        "display_name": "Viewing tomorrow",
        "purpose": "PURPOSE_SERVICE",
        "is_reminder": True,
        "texts": [
            {
                "language_code": "en",
                "body": "{{sender.name}}: we look forward to seeing you at {{store.name}} tomorrow at {{time}}."
                " Reply CONFIRM, or CHANGE for another time.",
            }
        ],
    },
    {
        "display_name": "New pieces",
        "purpose": "PURPOSE_MARKETING",
        "texts": [
            {
                "language_code": "en",
                "body": "{{sender.name}}: {{client.given_name}}, {{piece}} has just come in. Shall I keep it for you?"
                " Reply STOP to opt out.",
            }
        ],
    },
    {
        "display_name": "Letter of the season",
        "channel": "CHANNEL_EMAIL",
        "purpose": "PURPOSE_MARKETING",
        "texts": [
            {
                "language_code": "en",
                "subject": "{{client.given_name}}, a look at {{season}}",
                "body": "Dear {{client.full_name}},\n\nour pieces of {{season}} are here, and we would love to show"
                " them to you.\n\n{{associate.name}}\n{{store.name}}",
            }
        ],
    },
)
