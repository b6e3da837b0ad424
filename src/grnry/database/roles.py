"""Names of the platform's roles."""

PLATFORM_ROLE = "grnry"
WORKER_ROLE = "grnry_worker"
