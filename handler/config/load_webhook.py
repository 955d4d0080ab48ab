"""Who may call, and who is told: the parts of steward.yml that name environment variables, in which secrets are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from handler.config.problems import each
from handler.model.policy import AlarmSettings, Caller, Chat, EventBus, Webhook

if TYPE_CHECKING:
    from handler.config.problems import Notes

VARIABLE_HINT: Final = "secrets are set in the environment, and named here: STEWARD_SECRET_…"
CHAT_HINT: Final = "the URL is a secret: set a variable to it, and name the variable here: STEWARD_CHAT_URL"


def read_webhook(notes: Notes, schema: Any) -> Webhook:
    """The door; without ``webhook`` in the file it is closed."""
    schema = schema or {}
    callers: list[Caller] = []
    taken: set[str] = set()
    users_of_secret: dict[str, str] = {}
    for path, one in each("webhook.callers", schema.get("callers")):
        name = one["name"]
        if name is not None and name in taken:
            notes.problem(f"{path}.name", f"{name!r} appears twice", "names are unique")
        taken.add(name)
        if ("basic" in one) == ("bearer_env" in one):
            notes.problem(path, "needs either basic or bearer_env", "exactly one of them")
            continue
        basic = one.get("basic") or {"user": None, "password_env": None}
        if ":" in (basic["user"] or ""):
            notes.problem(f"{path}.basic.user", "holds a colon", "basic credentials end the user name with one")
        if "basic" in one:
            secret = notes.variable(f"{path}.basic.password_env", basic["password_env"], VARIABLE_HINT)
        else:
            secret = notes.variable(f"{path}.bearer_env", one["bearer_env"], VARIABLE_HINT)
        callers.append(Caller(name, secret, basic["user"] or ""))
        if secret in users_of_secret:
            # One could call as the other, and neither could be locked out alone.
            other = users_of_secret[secret]
            notes.problem(path, f"has the secret of {other!r}", "each caller needs a variable of its own")
        elif secret:
            users_of_secret[secret] = name or path
    # With less than SECONDS_TO_ACT and the time of a look nothing could ever be sent for a call.
    return Webhook(tuple(callers), notes.duration("webhook", schema, "patience", 4.0, least=2, limit=25))


def read_alarms(notes: Notes, schema: Any) -> AlarmSettings:
    """Where alarms go besides the log."""
    schema = schema or {}
    chat = tuple(
        Chat(notes.variable(f"{path}.url_env", one["url_env"], CHAT_HINT))
        for path, one in each("alarms.chat", schema.get("chat"))
    )
    bus = schema.get("event_bus")
    if bus is not None and bus["id"] is not None and not bus["id"].startswith("eb-"):
        notes.problem(
            "alarms.event_bus.id", f"{bus['id']!r} is not an event bus", "eb- and its name, as the console shows it"
        )
    return AlarmSettings(
        chat,
        None if bus is None else EventBus(bus["id"], bus["region"]),
        notes.duration("alarms", schema, "group_within", 600.0),
    )
