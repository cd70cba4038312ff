"""Every table of the warehouse by origin: rebuilt from others, stored beside the lake, or a record of runs, which a
rebuild starts empty."""

TELLS_OF_RUNS = "tells of runs"
LOGGED = {
    "ops": (
        *(
            "delivery",
            "file",
            "quarantine",
            "repair",
            "drift",
            "control_total",
            "profile",
            "trend",
            "released",
            "key_range",
            "lake_file",
            "contract",
        ),
        *("watermark", "archive"),
    ),
    "oneid": (
        *(
            "run",
            "run_metric",
            "identifier",
            "component",
            "profile_member",
            "profile",
            "prob_edge",
            "model",
            "issued",
            "oneid_map",
            "person",
        ),
        *("household_trait", "household_map", "oneid_event", "guard_audit", "decision", "decision_applied"),
    ),
}
RUNS = {"ops": ("built", "cost", "gate", "reconciliation", "night", "publishing", "clock")}
DERIVED = {"ops": ("applied", "format"), "oneid": ("identity_edge", "identifier_profile", "review")}
ROLES = {
    f"{schema}.{table}": role
    for role, schemas in (("logged", LOGGED), (TELLS_OF_RUNS, RUNS), ("derived", DERIVED))
    for schema, tables in schemas.items()
    for table in tables
}


def of_role(role: str, schema: str) -> list[str]:
    """Tables of the schema with that role."""
    return [name.split(".")[1] for name, own in ROLES.items() if own == role and name.startswith(f"{schema}.")]
