"""What each route needs, written by hand (S-57, W-133): who changes a line means it."""

ABILITIES = """
nothing
    /health/live GET
    /health/ready GET
    /metrics GET
    /setup GET POST
    /sign-in GET POST
    /sign-out POST
    /static/{edition}/{name} GET
see
    / GET
    /account GET
    /account/log-out POST
    /account/password POST
    /api/v1/archive/doubts GET
    /api/v1/arrivals GET
    /api/v1/arrivals/{arrival_id} GET
    /api/v1/deid/reports GET
    /api/v1/deid/reports/{study} GET
    /api/v1/deid/waiting GET
    /api/v1/deliveries GET
    /api/v1/deliveries/{delivery_id} GET
    /api/v1/destinations GET
    /api/v1/destinations/{name}/contexts GET
    /api/v1/explain GET
    /api/v1/fetches GET
    /api/v1/fetches/{fetch} GET
    /api/v1/fetches/{fetch}/events GET
    /api/v1/openapi.json GET
    /api/v1/retrieves GET
    /api/v1/shares GET
    /api/v1/status GET
    /api/v1/worklist/areas GET
    /api/v1/worklist/messages GET
    /api/v1/worklist/messages/{message_id} GET
    /archive GET
    /deid GET
    /deid/reports GET
    /deid/reports/{study} GET
    /sign-in/again GET POST
act
    /api/v1/cache/{source}/{study} DELETE
    /api/v1/deid/decisions POST
    /api/v1/deid/decisions/withdrawals POST
    /api/v1/deid/objects/{number} GET
    /api/v1/deid/studies/{study} GET
    /api/v1/deid/studies/{study}/totals GET
    /api/v1/deliveries/{action} POST
    /api/v1/deliveries/{delivery_id}/fix POST
    /api/v1/destinations/{name}/{change} POST
    /api/v1/fetches POST
    /api/v1/fetches/{fetch} DELETE
    /api/v1/replay POST
    /api/v1/retrieves/{number} DELETE
    /archive/retrieves/{number}/stop POST
    /deid/decisions POST
    /deid/decisions/undo POST
    /deid/objects/{number} GET
    /deid/studies/{study} GET
    /deid/studies/{study}/totals GET
    /deid/try GET
    /lanes/{name}/{change} POST
read
    /api/v1/deid/profiles GET
configure
    /api/v1/reload POST
administer
    /api/v1/tokens GET POST
    /api/v1/tokens/{number} DELETE
    /api/v1/users GET POST
    /api/v1/users/{name} DELETE PATCH
    /tokens GET POST
    /tokens/{number}/revoke POST
    /users GET POST
    /users/{name} GET POST
    /users/{name}/log-out POST
    /users/{name}/password POST
    /users/{name}/remove POST
    /users/{name}/undo POST
phi
    /api/v1/archive/corrections GET POST
    /api/v1/archive/why POST
    /api/v1/deid/objects/{number}/picture GET
    /api/v1/worklist/messages/{message_id}/text GET
    /api/v1/worklist/preview GET
    /api/v1/worklist/procedures GET
    /api/v1/worklist/queries GET
    /api/v1/worklist/steps GET
    /api/v1/worklist/steps/{step_id} GET
    /api/v1/worklist/steps/{step_id}/history GET
    /api/v1/worklist/steps/{step_id}/why GET
    /api/v1/worklist/templates GET
    /deid/objects/{number}/picture GET
    /worklist GET
    /worklist.csv GET
    /worklist/messages GET
    /worklist/messages/{number} GET
    /worklist/preview GET
    /worklist/templates GET
    /worklist/templates.csv GET
    /worklist/traffic GET
    /worklist/{number} GET
    /worklist/{number}/why GET
schedule
    /api/v1/worklist/folders GET
    /api/v1/worklist/import POST
    /api/v1/worklist/messages/try POST
    /api/v1/worklist/messages/{message_id}/replay POST
    /api/v1/worklist/steps POST
    /api/v1/worklist/steps/{step_id} DELETE PATCH
    /api/v1/worklist/steps/{step_id}/fill POST
    /api/v1/worklist/steps/{step_id}/restore POST
    /api/v1/worklist/steps/{step_id}/split POST
    /api/v1/worklist/steps/{step_id}/state POST
    /api/v1/worklist/templates DELETE POST
    /worklist/messages POST
    /worklist/messages/{number}/replay POST
    /worklist/new GET POST
    /worklist/templates POST
    /worklist/templates/delete POST
    /worklist/templates/import POST
    /worklist/{number}/delete POST
    /worklist/{number}/edit GET POST
    /worklist/{number}/fill POST
    /worklist/{number}/restore POST
    /worklist/{number}/split POST
    /worklist/{number}/state POST
audit
    /api/v1/audit GET
    /audit GET
reidentify
    /api/v1/deid/lookups POST
    /api/v1/deid/pseudonyms/export POST
    /api/v1/deid/pseudonyms/lookup POST
    /deid/pseudonyms GET POST
    /deid/pseudonyms/export POST
search
    /dicom-web/ OPTIONS
    /dicom-web/instances GET
    /dicom-web/modality-scheduled-procedure-steps GET
    /dicom-web/openapi.json GET
    /dicom-web/series GET
    /dicom-web/sources GET
    /dicom-web/studies GET
    /dicom-web/studies/{study}/instances GET
    /dicom-web/studies/{study}/series GET
    /dicom-web/studies/{study}/series/{series}/instances GET
retrieve
    /dicom-web/studies/{study} GET
    /dicom-web/studies/{study}/bulkdata GET
    /dicom-web/studies/{study}/metadata GET
    /dicom-web/studies/{study}/rendered GET
    /dicom-web/studies/{study}/series/{series} GET
    /dicom-web/studies/{study}/series/{series}/bulkdata GET
    /dicom-web/studies/{study}/series/{series}/instances/{instance} GET
    /dicom-web/studies/{study}/series/{series}/instances/{instance}/bulkdata GET
    /dicom-web/studies/{study}/series/{series}/instances/{instance}/bulkdata/{bulk*} GET
    /dicom-web/studies/{study}/series/{series}/instances/{instance}/frames/{frames} GET
    /dicom-web/studies/{study}/series/{series}/instances/{instance}/frames/{frames}/rendered GET
    /dicom-web/studies/{study}/series/{series}/instances/{instance}/frames/{frames}/thumbnail GET
    /dicom-web/studies/{study}/series/{series}/instances/{instance}/metadata GET
    /dicom-web/studies/{study}/series/{series}/instances/{instance}/rendered GET
    /dicom-web/studies/{study}/series/{series}/instances/{instance}/thumbnail GET
    /dicom-web/studies/{study}/series/{series}/metadata GET
    /dicom-web/studies/{study}/series/{series}/rendered GET
    /dicom-web/studies/{study}/series/{series}/thumbnail GET
    /dicom-web/studies/{study}/thumbnail GET
    /dicom-web/wado GET
store
    /dicom-web/studies POST
    /dicom-web/studies/{study} POST
delete
    /dicom-web/studies/{study} DELETE
    /dicom-web/studies/{study}/series/{series} DELETE
    /dicom-web/studies/{study}/series/{series}/instances/{instance} DELETE
"""


def by_route() -> dict[tuple[str, str], str]:
    """Return what a path and method need."""
    found: dict[tuple[str, str], str] = {}
    ability = ""
    for line in ABILITIES.strip().splitlines():
        if not line.startswith(" "):
            ability = line
            continue
        path, *methods = line.split()
        found |= {(path, method): ability for method in methods}
    return found
