"""``waystation user``: who may sign in at the web, and tokens of programs.

Contract: works beside the node (through it) and without one.  A password is asked for, or read
from a file; it never stands on the command line.  A token is printed once and kept nowhere.
"""

import getpass
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from waystation.cli.api import data_folder, running, who
from waystation.cli.options import ConfigOption, JsonOption
from waystation.cli.tables import instant_text, plain, print_table
from waystation.model.errors import ConfigError

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Of the user")]
GrantOption = Annotated[
    list[str] | None,
    typer.Option("--grant", help="phi (patient data), audit or reidentify; once for each"),
]
PasswordOption = Annotated[
    Path | None,
    typer.Option("--password-file", help="File whose first line is the password; - for stdin"),
]
ROLES = "viewer, operator or admin"


def _group(text: str) -> typer.Typer:
    return typer.Typer(
        help=text,
        add_completion=False,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )


user = _group("Who may sign in at the web, and tokens of programs.")
token = _group("Tokens of programs.")
user.add_typer(token, name="token")


@user.callback()
def root() -> None:
    """Who may sign in at the web, and tokens of programs."""


def _ask(config: Path | None, method: str, path: str, **body: object) -> Any:
    """Ask the running node, or its data folder if none runs."""
    data = data_folder(config)
    api = running(data)
    if api is not None:
        return api.get(path) if method == "GET" else api.send(method, path, body | {"user": who()})
    from waystation.app.loop import run
    from waystation.app.people_offline import ask

    said = body if method == "GET" else body | {"user": who()}
    return run(ask(data, method, path, said))


def _password(file: Path | None) -> str:
    """Return a password from a file, or as it is typed twice."""
    if file is not None:
        try:
            text = sys.stdin.readline() if str(file) == "-" else file.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError("--password-file", str(error)) from error
        return text.splitlines()[0] if text else ""
    first = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != first:
        raise ConfigError("password", "the two are not the same")
    return first


@user.command("add")
def add(
    name: NameArgument,
    role: Annotated[str, typer.Option("--role", help=ROLES)] = "viewer",
    grant: GrantOption = None,
    password_file: PasswordOption = None,
    config: ConfigOption = None,
) -> None:
    """Add a user; the first one is an admin."""
    password = _password(password_file)
    _ask(
        config,
        "POST",
        "/api/v1/users",
        name=name,
        role=role,
        grants=grant or [],
        password=password,
    )
    print(f"{plain(name)} can sign in")


@user.command("list")
def show(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the users."""
    found = _ask(config, "GET", "/api/v1/users")
    if as_json:
        print(json.dumps(found))
        return
    rows = [
        (
            one["name"],
            one["role"],
            ", ".join(one["grants"]),
            "disabled" if one["disabled"] else "",
            instant_text(one["seen_at"]) if one["seen_at"] else "never",
        )
        for one in found
    ]
    print_table(("user", "role", "grants", "state", "last login"), rows)


@user.command("passwd")
def passwd(
    name: NameArgument, password_file: PasswordOption = None, config: ConfigOption = None
) -> None:
    """Give a user another password; ends the user's logins."""
    _ask(config, "PATCH", f"/api/v1/users/{name}", password=_password(password_file))
    print(f"{plain(name)} has another password")


@user.command("change")
def change(
    name: NameArgument,
    role: Annotated[str | None, typer.Option("--role", help=ROLES)] = None,
    grant: GrantOption = None,
    no_grants: Annotated[bool, typer.Option("--no-grants", help="Take all grants away")] = False,
    config: ConfigOption = None,
) -> None:
    """Change what a user may do; --grant states all that are granted from now on."""
    wanted: dict[str, object] = {} if role is None else {"role": role}
    if grant or no_grants:
        wanted["grants"] = [] if no_grants else grant
    if not wanted:
        raise ConfigError("--role", "say what is to change: --role, --grant or --no-grants")
    found = _ask(config, "PATCH", f"/api/v1/users/{name}", **wanted)
    print(f"{plain(name)}: {found['role']}" + "".join(f", {one}" for one in found["grants"]))


@user.command("disable")
def disable(name: NameArgument, config: ConfigOption = None) -> None:
    """Have a user sign in no more; ends the user's logins."""
    _ask(config, "PATCH", f"/api/v1/users/{name}", disabled=True)
    print(f"{plain(name)} cannot sign in")


@user.command("enable")
def enable(name: NameArgument, config: ConfigOption = None) -> None:
    """Let a disabled user sign in again."""
    _ask(config, "PATCH", f"/api/v1/users/{name}", disabled=False)
    print(f"{plain(name)} can sign in")


@user.command("remove")
def remove(name: NameArgument, config: ConfigOption = None) -> None:
    """Forget a user; what the user did stays in the audit trail."""
    _ask(config, "DELETE", f"/api/v1/users/{name}")
    print(f"{plain(name)} is removed")


@token.command("add")
def add_token(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the program")],
    may: Annotated[
        list[str],
        typer.Option("--may", help="What it may do, once for each: search, retrieve, store, see"),
    ],
    days: Annotated[int, typer.Option("--days", help="How long it holds")] = 365,
    config: ConfigOption = None,
) -> None:
    """Make a token and print it; it is never shown again."""
    made = _ask(config, "POST", "/api/v1/tokens", name=name, scope=may, days=days)
    print(made["token"])


@token.command("list")
def show_tokens(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the tokens."""
    found = _ask(config, "GET", "/api/v1/tokens")
    if as_json:
        print(json.dumps(found))
        return
    rows = [
        (
            one["id"],
            one["name"],
            ", ".join(one["scope"]),
            "revoked" if one["revoked_at"] else f"until {instant_text(one['expires_at'])}",
            instant_text(one["used_at"]) if one["used_at"] else "never",
        )
        for one in found
    ]
    print_table(("id", "token", "may", "state", "last used"), rows)


@token.command("revoke")
def revoke(
    number: Annotated[str, typer.Argument(metavar="ID", help="As token list shows it")],
    config: ConfigOption = None,
) -> None:
    """End a token at once."""
    done = _ask(config, "DELETE", f"/api/v1/tokens/{number}")
    print(f"the token {plain(done['token'])} has ended")
